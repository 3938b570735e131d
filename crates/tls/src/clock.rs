//! The only place in this crate that asks what time it is. Certificates live by the calendar, renewal by it too.

#![allow(clippy::disallowed_methods, reason = "this file is where the time comes from")]

use std::time::SystemTime;

use time::OffsetDateTime;

pub(crate) fn now() -> OffsetDateTime {
    OffsetDateTime::from(SystemTime::now())
}

/// As it is written in messages.
pub(crate) fn text(moment: OffsetDateTime) -> String {
    let (date, hour, minute) = (moment.date(), moment.hour(), moment.minute());
    format!("{}-{:02}-{:02} {hour:02}:{minute:02} UTC", date.year(), u8::from(date.month()), date.day())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_as_a_person_sorts_it() {
        assert_eq!(text(OffsetDateTime::UNIX_EPOCH), "1970-01-01 00:00 UTC");
    }
}
