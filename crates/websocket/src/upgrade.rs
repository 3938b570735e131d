//! From an HTTP request to a WebSocket connection (section 4.2), or to an answer that says why not.
//!
//! Knows the head of one request; how long a client may take for it is kept by whoever has the clock. Extensions are
//! never agreed to: what MQTT sends is small or already compressed, and a window for each connection is memory.

mod answer;
mod origin;
mod refusal;
mod request;

pub use origin::Origins;
pub use refusal::Refusal;

/// What a listener serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Paths at which WebSocket is spoken, without a query; a query in a request is allowed and not looked at.
    pub paths: Vec<String>,
    /// From which web pages a browser may connect.
    pub origins: Origins,
    /// The largest head of a request, in bytes; above it, 431. Cookies of a site that shares the host are the usual
    /// reason for a large one.
    pub head_bytes_max: usize,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            paths: vec!["/".into(), "/mqtt".into()],
            origins: Origins::default(),
            head_bytes_max: 8 * 1024,
        }
    }
}

/// The name under which MQTT is spoken (section 6 of MQTT 5.0).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subprotocol {
    /// `mqtt`: 3.1.1 and 5.0. [MQTT5-6.0.0-3]
    Mqtt,
    /// `mqttv3.1`: the name that was in use before 3.1.1 registered one.
    MqttV31,
}

impl Subprotocol {
    /// The name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mqtt => "mqtt",
            Self::MqttV31 => "mqttv3.1",
        }
    }
}

/// How far the request has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Its end has not arrived.
    Unfinished,
    /// The client may speak; the answer was written.
    Accepted {
        /// How many of the bytes of this call belong to the request. What is behind them are frames.
        used: usize,
        /// What was agreed; nothing for a client that asked for nothing.
        subprotocol: Option<Subprotocol>,
    },
}

/// Reads one request, in as many pieces as it comes.
#[derive(Debug, Default)]
pub struct Upgrade {
    /// What has arrived, unless it arrived whole.
    begun: Vec<u8>,
    /// Whether nothing but a line end was read since the last line end: the next one ends the head.
    line_is_empty: bool,
}

impl Upgrade {
    /// Reads on. What is to be sent to the client is appended to `answer`, whether it is accepted or refused.
    ///
    /// # Errors
    /// The request is refused: `answer` says why. The connection is to be closed when that is sent.
    pub fn receive(
        &mut self,
        rules: &Rules,
        bytes: &[u8],
        answer: &mut Vec<u8>,
    ) -> Result<Progress, Refusal> {
        let result = self.read(rules, bytes, answer);
        if let Err(refusal) = result {
            answer::refuse(refusal, answer);
        }
        result
    }

    fn read(&mut self, rules: &Rules, bytes: &[u8], answer: &mut Vec<u8>) -> Result<Progress, Refusal> {
        let room = rules.head_bytes_max.saturating_sub(self.begun.len());
        let Some(used) = self.find_end(&bytes[..bytes.len().min(room)])? else {
            if bytes.len() > room {
                return Err(Refusal::HeadTooLarge);
            }
            self.begun.extend_from_slice(bytes);
            return Ok(Progress::Unfinished);
        };
        let mut begun = std::mem::take(&mut self.begun);
        let head = if begun.is_empty() {
            &bytes[..used]
        } else {
            begun.extend_from_slice(&bytes[..used]);
            &begun
        };
        let accepted = request::read(head)?.check(rules)?;
        answer::accept(&accepted, answer);
        Ok(Progress::Accepted { used, subprotocol: accepted.subprotocol })
    }

    /// How many of `bytes` belong to the head, when its end is among them.
    ///
    /// Each byte is looked at once, however slowly they come; the head is parsed when it is whole. A byte that no text
    /// has is refused when it comes: whoever speaks MQTT or TLS here hears of it and does not wait for an answer.
    fn find_end(&mut self, bytes: &[u8]) -> Result<Option<usize>, Refusal> {
        for (used, byte) in (1..).zip(bytes) {
            match byte {
                b'\n' if self.line_is_empty => return Ok(Some(used)),
                b'\n' => self.line_is_empty = true,
                b'\r' => {}
                b'\t' | b' '..=b'~' | 0x80.. => self.line_is_empty = false,
                _ => return Err(Refusal::NotHttp),
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests;
