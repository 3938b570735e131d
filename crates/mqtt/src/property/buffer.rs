//! Builds a block of properties for a packet of our own.

use super::{Properties, Property, PropertyId, Shape, Value};
use crate::writer::{put_binary, put_string, put_u16, put_u32, put_variable_byte_integer};

/// Builds a block of properties. The caller keeps to the table; [`PropertyBuf::as_properties`] does not check
/// again, since only our own code builds blocks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PropertyBuf {
    bytes: Vec<u8>,
    seen: u64,
    user_properties: u32,
}

impl PropertyBuf {
    /// An empty block.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets everything, keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.seen = 0;
        self.user_properties = 0;
    }

    /// Appends a property whose value is a number.
    pub fn number(&mut self, id: PropertyId, value: u32) -> &mut Self {
        self.begin(id);
        match id.shape() {
            Shape::Byte => self.bytes.push(value as u8),
            Shape::TwoByte => put_u16(&mut self.bytes, value as u16),
            Shape::VariableByte => put_variable_byte_integer(&mut self.bytes, value),
            _ => put_u32(&mut self.bytes, value),
        }
        self
    }

    /// Appends a property whose value is text.
    pub fn text(&mut self, id: PropertyId, value: &str) -> &mut Self {
        self.begin(id);
        put_string(&mut self.bytes, value);
        self
    }

    /// Appends a property whose value is Binary Data.
    pub fn binary(&mut self, id: PropertyId, value: &[u8]) -> &mut Self {
        self.begin(id);
        put_binary(&mut self.bytes, value);
        self
    }

    /// Appends a User Property.
    pub fn user(&mut self, name: &str, value: &str) -> &mut Self {
        self.begin(PropertyId::UserProperty);
        self.user_properties += 1;
        put_string(&mut self.bytes, name);
        put_string(&mut self.bytes, value);
        self
    }

    /// Appends any property.
    pub fn push(&mut self, property: Property<'_>) -> &mut Self {
        match property.value {
            Value::Number(n) => self.number(property.id, n),
            Value::Text(text) => self.text(property.id, text),
            Value::Bytes(bytes) => self.binary(property.id, bytes),
            Value::Pair(name, value) => self.user(name, value),
        }
    }

    fn begin(&mut self, id: PropertyId) {
        self.seen |= 1 << id as u8;
        self.bytes.push(id as u8);
    }

    /// The block, ready to stand in a packet.
    #[must_use]
    pub fn as_properties(&self) -> Properties<'_> {
        Properties { bytes: &self.bytes, seen: self.seen, user_properties: self.user_properties }
    }
}
