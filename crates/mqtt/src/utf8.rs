//! UTF-8 Encoded String, the specification's own narrowing of UTF-8 (section 1.5.4).

use crate::error::DecodeError;

/// The string in `bytes`: well-formed UTF-8 without U+0000.
///
/// Surrogates and over-long forms are no UTF-8 for Rust either, so the standard check keeps
/// [MQTT5-1.5.4-1] [MQTT3-1.5.3-1]; the null character is forbidden by [MQTT5-1.5.4-2] [MQTT3-1.5.3-2].
/// U+FEFF is kept wherever it stands [MQTT5-1.5.4-3] [MQTT3-1.5.3-3].
pub(crate) fn string(bytes: &[u8]) -> Result<&str, DecodeError> {
    if bytes.contains(&0) {
        return Err(DecodeError::malformed("a string holds the null character U+0000"));
    }
    std::str::from_utf8(bytes).map_err(|_| DecodeError::malformed("a string is not well-formed UTF-8"))
}
