//! Which Client Identifier a principal may use.

use crate::pattern::Values;
use crate::problem::Problem;
use crate::source::Section;
use crate::template::Template;

/// A rule for Client Identifiers.
#[derive(Clone, Debug)]
pub struct ClientIdRule {
    form: Form,
    /// Characters, at least and at most.
    length: (usize, usize),
    /// What an empty one leads to.
    pub empty: Empty,
}

/// What happens to a client that sends no Client Identifier.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Empty {
    /// The server gives it one, where the protocol's version allows that. [MQTT5-3.1.3-6]
    #[default]
    Assign,
    /// It is refused: the platform wants to tell its clients apart.
    Refuse,
}

#[derive(Clone, Debug)]
enum Form {
    Any,
    Like(Template),
}

impl Default for ClientIdRule {
    fn default() -> Self {
        Self { form: Form::Any, length: (0, usize::MAX), empty: Empty::Assign }
    }
}

impl ClientIdRule {
    /// Whether a client that presents `client_identifier`, which is not empty, keeps the rule.
    #[must_use]
    pub fn allows(&self, client_identifier: &str, values: &impl Values) -> bool {
        let length = client_identifier.chars().count();
        let fits = match &self.form {
            Form::Any => true,
            Form::Like(template) => template.fits(client_identifier, values),
        };
        fits && (self.length.0..=self.length.1).contains(&length)
    }

    /// `client_id = { like = TEMPLATE, length_min = 1, length_max = 23, empty = "assign" | "refuse" }`
    pub(super) fn read(section: Section<'_, '_>) -> Self {
        let form = section.parsed("like", Template::parse).map_or(Form::Any, Form::Like);
        let least = section.number("length_min", 0..LENGTH_MAX);
        let most = section.number("length_max", 1..LENGTH_MAX);
        let length = (least.unwrap_or(0) as usize, most.unwrap_or(LENGTH_MAX) as usize);
        if length.0 > length.1 {
            section.report_here(Problem::new(
                format!("a client identifier of at least {} and at most {} characters", length.0, length.1),
                "`length_min` is not above `length_max`",
            ));
        }
        let empties = [("assign", Empty::Assign), ("refuse", Empty::Refuse)];
        // One that must look like something cannot be made up by the server.
        let usual = if matches!(form, Form::Any) { Empty::Assign } else { Empty::Refuse };
        let empty = section.choice("empty", &empties).unwrap_or(usual);
        section.end();
        Self { form, length, empty }
    }
}

/// What a string of MQTT can hold.
const LENGTH_MAX: u64 = 65_536;
