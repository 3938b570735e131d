//! Texts with values in them: user names, client identifiers, the form of a secret.
//!
//! ```text
//! tesa_mqtt_{org.prefix}_{random:32:alnum}        id-{credential.given}-{nn~[0-9]+}
//! ```
//! A template is used in two directions: filled in, where nothing is left open, and held against a text that somebody
//! presents.

use std::fmt;

use regex::Regex;

use crate::pattern::{Values, name_of, path_of};
use crate::problem::Problem;

/// A text with values in it.
#[derive(Clone, Debug)]
pub struct Template {
    parts: Vec<Part>,
    text: Box<str>,
}

#[derive(Clone, Debug)]
enum Part {
    /// As it stands.
    Text(Box<str>),
    /// `{secret}`, `{credential.label}`: the value of a path.
    Value(Box<str>),
    /// `{random:32:alnum}`: so many characters out of an alphabet.
    Random(usize, Alphabet),
    /// `{nn~[0-9]+}`: whatever matches.
    Matching(Regex),
}

/// What random characters are taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Alphabet {
    /// Digits and letters of both cases.
    Alnum,
    /// Small letters.
    Lower,
    /// Hexadecimal with small letters.
    Hex,
    /// Hexadecimal with capitals.
    UpperHex,
}

/// A template that cannot be filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfillable {
    /// There is no value under this path.
    Missing(Box<str>),
    /// It leaves a part open that only a presented text can have.
    Open,
}

impl Template {
    /// Takes a template apart.
    ///
    /// # Errors
    /// With what is wrong and what would be right.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let (mut parts, mut rest) = (Vec::new(), text);
        while let Some((before, after)) = rest.split_once('{') {
            if !before.is_empty() {
                parts.push(Part::Text(before.into()));
            }
            let end = closing(after).ok_or_else(|| {
                Problem::new(format!("a brace of `{text}` is not closed"), "write `}` where it ends")
            })?;
            parts.push(Part::of(after[..end].trim(), text)?);
            rest = &after[end + 1..];
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.into()));
        }
        Ok(Self { parts, text: text.into() })
    }

    /// The paths of values that it needs.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Value(path) => Some(&**path),
            _ => None,
        })
    }

    /// How many bits somebody would have to guess of what it makes.
    #[must_use]
    pub fn random_bits(&self) -> u32 {
        let bits = self.parts.iter().map(|part| match part {
            Part::Random(count, alphabet) => *count as f64 * (alphabet.characters().len() as f64).log2(),
            _ => 0.0,
        });
        bits.sum::<f64>() as u32
    }

    /// The text that it makes. `random` gives a number below its argument; whoever hands it in decides how well nobody can
    /// guess it.
    ///
    /// # Errors
    /// When a value is missing, or something is left open.
    pub fn fill(
        &self,
        values: &impl Values,
        mut random: impl FnMut(usize) -> usize,
    ) -> Result<String, Unfillable> {
        let mut filled = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => filled.push_str(text),
                Part::Value(path) => {
                    filled.push_str(values.text(path).ok_or_else(|| Unfillable::Missing(path.clone()))?);
                }
                Part::Random(count, alphabet) => {
                    let characters = alphabet.characters();
                    filled.extend((0..*count).map(|_| char::from(characters[random(characters.len())])));
                }
                Part::Matching(_) => return Err(Unfillable::Open),
            }
        }
        Ok(filled)
    }

    /// Whether a presented text is one that it makes, for a principal with these values. A value that is missing fits
    /// nothing. At most [`PRESENTED_BYTES_MAX`] bytes are looked at: a longer one does not fit.
    #[must_use]
    pub fn fits(&self, presented: &str, values: &impl Values) -> bool {
        presented.len() <= PRESENTED_BYTES_MAX && fits(&self.parts, presented, values)
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Whether `text` is these parts, one behind the other. Only expressions leave a choice of where they end.
fn fits(parts: &[Part], text: &str, values: &impl Values) -> bool {
    let Some((first, others)) = parts.split_first() else { return text.is_empty() };
    let behind = match first {
        Part::Text(own) => text.strip_prefix(&**own),
        Part::Value(path) => values.text(path).and_then(|value| text.strip_prefix(value)),
        Part::Random(count, alphabet) => {
            let is_of = text.bytes().take(*count).all(|byte| alphabet.characters().contains(&byte));
            text.get(*count..).filter(|_| is_of)
        }
        Part::Matching(regex) => {
            let ends = (0..=text.len()).rev().filter(|end| text.is_char_boundary(*end));
            return ends
                .into_iter()
                .any(|end| regex.is_match(&text[..end]) && fits(others, &text[end..], values));
        }
    };
    behind.is_some_and(|behind| fits(others, behind, values))
}

impl Part {
    fn of(inner: &str, whole: &str) -> Result<Self, Problem> {
        if let Some(how) = inner.strip_prefix("random:") {
            return Self::random(how, whole);
        }
        if let Some((name, regex)) = inner.split_once('~') {
            name_of(name, whole)?;
            let regex = Regex::new(&format!("^(?:{regex})$")).map_err(|error| {
                Problem::new(
                    format!("`{regex}` is no regular expression: {error}"),
                    "look-around is not supported",
                )
            })?;
            return Ok(Self::Matching(regex));
        }
        Ok(Self::Value(path_of(inner, whole)?))
    }

    fn random(how: &str, whole: &str) -> Result<Self, Problem> {
        let (count, alphabet) = how.split_once(':').unwrap_or((how, "alnum"));
        let count = count.trim().parse().ok().filter(|count| (1..=RANDOM_CHARACTERS_MAX).contains(count));
        let alphabet = match alphabet.trim() {
            "alnum" => Some(Alphabet::Alnum),
            "lower" => Some(Alphabet::Lower),
            "hex" => Some(Alphabet::Hex),
            "HEX" => Some(Alphabet::UpperHex),
            _ => None,
        };
        match (count, alphabet) {
            (Some(count), Some(alphabet)) => Ok(Self::Random(count, alphabet)),
            _ => Err(Problem::new(
                format!("`random:{how}` in `{whole}` says neither how many characters nor of what"),
                "write `{random:32:alnum}`; alphabets are alnum, lower, hex and HEX, and up to 256 characters",
            )),
        }
    }
}

impl Alphabet {
    fn characters(self) -> &'static [u8] {
        match self {
            Self::Alnum => b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
            Self::Lower => b"abcdefghijklmnopqrstuvwxyz",
            Self::Hex => b"0123456789abcdef",
            Self::UpperHex => b"0123456789ABCDEF",
        }
    }
}

/// Where a brace that is open at the beginning of `text` closes. Expressions may hold pairs of them.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 1_usize;
    text.bytes().position(|byte| {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => {}
        }
        depth == 0
    })
}

/// What is presented as a name or client identifier and is longer fits no template: none is meant to be.
const PRESENTED_BYTES_MAX: usize = 1024;
/// More random characters than anybody needs are a slip.
const RANDOM_CHARACTERS_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grant::Members;

    struct Account;

    impl Values for Account {
        fn text(&self, path: &str) -> Option<&str> {
            [("org.prefix", "acme-corp"), ("credential.given", "given")]
                .into_iter()
                .find_map(|(known, text)| (known == path).then_some(text))
        }

        fn set(&self, _: &str) -> Option<Members> {
            None
        }
    }

    fn template(text: &str) -> Template {
        Template::parse(text).unwrap_or_else(|problem| panic!("{text}: {problem}"))
    }

    #[test]
    fn a_secret_has_the_form_that_its_template_says() {
        let secret = template("tesa_mqtt_{org.prefix}_{random:32:alnum}");
        let mut seed = 1_usize;
        let filled = secret.fill(&Account, |below| {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (seed >> 33) % below
        });
        let filled = filled.unwrap();
        assert!(filled.starts_with("tesa_mqtt_acme-corp_") && filled.len() == 20 + 32, "{filled}");
        assert!(secret.fits(&filled, &Account));
        assert!(
            !secret.fits(&filled[..filled.len() - 1], &Account) && !secret.fits(&(filled + "x"), &Account)
        );
        assert_eq!(secret.random_bits(), 190);
        assert_eq!(template("{random:32:HEX}").random_bits(), 128);
    }

    #[test]
    fn a_client_identifier_fits_its_pattern_as_a_whole() {
        let rule = template("id-{credential.given}-{nn~[0-9]+}");
        for fitting in ["id-given-01", "id-given-7"] {
            assert!(rule.fits(fitting, &Account), "{fitting}");
        }
        for other in ["id-given-", "id-given-x1", "id-giver-01", "xid-given-01", "id-given-01 ", ""] {
            assert!(!rule.fits(other, &Account), "{other}");
        }
        let middle = template("{a~[a-z]+}-{b~[a-z-]+}-x");
        assert!(middle.fits("q-r-s-x", &Account) && !middle.fits("q-x", &Account));
        assert_eq!(rule.fill(&Account, |_| 0), Err(Unfillable::Open));
    }

    #[test]
    fn a_missing_value_fits_nothing_and_fills_nothing() {
        let missing = template("{credential.none}");
        assert!(!missing.fits("", &Account));
        assert_eq!(missing.fill(&Account, |_| 0), Err(Unfillable::Missing("credential.none".into())));
    }

    #[test]
    fn what_is_no_template_is_refused() {
        for text in ["{", "a{b", "{B}", "{random:0}", "{random:x}", "{random:8:roman}", "{n~(}", "{}"] {
            assert!(Template::parse(text).is_err(), "{text}");
        }
        assert_eq!(template("{a~x{2}}y").to_string(), "{a~x{2}}y");
    }
}
