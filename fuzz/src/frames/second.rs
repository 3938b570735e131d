//! A decoder as the RFC reads: one frame after the other, all bytes there from the beginning, everything copied.

use tidegate_websocket::{MessageKind, Options, TextMessages};

use super::{Ending, Heard};

struct Frame {
    fin: bool,
    opcode: u8,
    /// What has arrived of it, unmasked.
    payload: Vec<u8>,
    announced: u64,
    is_whole: bool,
}

/// The code with which the connection fails.
type Verdict<T> = Result<T, u16>;

const PROTOCOL_ERROR: u16 = 1002;

pub(super) fn decode(bytes: &[u8], options: Options) -> Heard {
    let mut heard = Heard::default();
    match read(bytes, options, &mut heard) {
        Ok(end) => heard.end = end,
        Err(code) => heard.end = Some(Ending { code: Some(code), failed: true }),
    }
    heard
}

fn read(mut bytes: &[u8], options: Options, heard: &mut Heard) -> Verdict<Option<Ending>> {
    let (mut message, mut announced) = (None, 0u64);
    // All of the text so far: judged anew with each frame.
    let mut text = Vec::new();
    while let Some((frame, rest)) = frame(bytes)? {
        bytes = rest;
        match frame.opcode {
            8 if frame.is_whole => return close(&frame.payload).map(Some),
            9 if frame.is_whole => heard.pings.push(frame.payload),
            8..=10 => {}
            opcode => {
                let kind = match (opcode, message) {
                    (0, Some(kind)) => kind,
                    (1, None) if options.text == TextMessages::Refused => return Err(1003),
                    (1, None) => MessageKind::Text,
                    (2, None) => MessageKind::Binary,
                    _ => return Err(PROTOCOL_ERROR),
                };
                announced = if opcode == 0 { announced } else { 0 } + frame.announced;
                if options.message_bytes_max > 0 && announced > options.message_bytes_max {
                    return Err(1009);
                }
                let ends = frame.fin && frame.is_whole;
                if kind == MessageKind::Text {
                    text.extend_from_slice(&frame.payload);
                    judge(&text, ends)?;
                }
                heard.payload(&frame.payload, kind, ends);
                message = (!ends).then_some(kind);
                if ends {
                    text.clear();
                }
            }
        }
    }
    Ok(None)
}

fn judge(text: &[u8], ends: bool) -> Verdict<()> {
    match std::str::from_utf8(text) {
        Ok(_) => Ok(()),
        Err(error) if error.error_len().is_none() && !ends => Ok(()),
        Err(_) => Err(1007),
    }
}

fn close(payload: &[u8]) -> Verdict<Ending> {
    match payload {
        [] => Ok(Ending { code: None, failed: false }),
        [_] => Err(PROTOCOL_ERROR),
        [high, low, reason @ ..] => {
            let code = u16::from(*high) << 8 | u16::from(*low);
            let reserved = [1004, 1005, 1006].contains(&code) || (1015..3000).contains(&code);
            if !(1000..5000).contains(&code) || reserved {
                return Err(PROTOCOL_ERROR);
            }
            judge(reason, true)?;
            Ok(Ending { code: Some(code), failed: false })
        }
    }
}

/// The frame at the front and what is behind it; nothing when its header is not whole.
fn frame(bytes: &[u8]) -> Verdict<Option<(Frame, &[u8])>> {
    let byte = |i: usize| bytes.get(i).copied();
    let Some(first) = byte(0) else { return Ok(None) };
    let (fin, opcode) = (first >> 7 == 1, first % 16);
    let is_control = opcode > 7;
    let known = [0, 1, 2, 8, 9, 10].contains(&opcode);
    if (first >> 4) % 8 != 0 || !known || (is_control && !fin) {
        return Err(PROTOCOL_ERROR);
    }
    let Some(second) = byte(1) else { return Ok(None) };
    if second < 128 || (is_control && second - 128 > 125) {
        return Err(PROTOCOL_ERROR);
    }
    let (length_bytes, least) = match second - 128 {
        126 => (2, 126),
        127 => (8, 0x1_0000),
        _ => (0, 0),
    };
    let Some(length) = bytes.get(2..2 + length_bytes) else { return Ok(None) };
    let mut announced = length.iter().fold(0u64, |sum, byte| sum << 8 | u64::from(*byte));
    if announced < least || announced > i64::MAX as u64 {
        return Err(PROTOCOL_ERROR);
    }
    if length_bytes == 0 {
        announced = u64::from(second - 128);
    }
    let Some(mask) = bytes.get(2 + length_bytes..6 + length_bytes) else { return Ok(None) };
    let arrived = &bytes[6 + length_bytes..];
    let len = announced.min(arrived.len() as u64) as usize;
    let payload: Vec<u8> = arrived[..len].iter().enumerate().map(|(i, byte)| byte ^ mask[i % 4]).collect();
    let is_whole = payload.len() as u64 == announced;
    Ok(Some((Frame { fin, opcode, payload, announced, is_whole }, &arrived[len..])))
}
