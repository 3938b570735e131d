//! Lengths of time as people write them: `90d`, `2h`, `30s`.

use crate::problem::Problem;

/// Seconds out of a text such as `90d`.
///
/// # Errors
/// When it is no whole number with one of the units s, m, h, d.
pub(crate) fn seconds(text: &str) -> Result<u32, Problem> {
    let unit = [("s", 1), ("m", 60), ("h", 3600), ("d", 86_400)]
        .into_iter()
        .find_map(|(unit, secs)| text.strip_suffix(unit).map(|number| (number, secs)));
    let secs = unit.and_then(|(number, secs)| number.trim().parse::<u32>().ok()?.checked_mul(secs));
    secs.ok_or_else(|| {
        Problem::new(
            format!("`{text}` is no length of time"),
            "write a whole number with s, m, h or d behind it, such as \"90d\"; at most 136 years",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_of_time_is_a_number_and_a_unit() {
        assert_eq!(seconds("90d"), Ok(90 * 86_400));
        assert_eq!(seconds("2 h"), Ok(7200));
        assert_eq!(seconds("0s"), Ok(0));
        for text in ["", "d", "90", "1.5h", "-1s", "1w", "99999999d"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}
