//! Bytes as people read them in a failure message.

/// The bytes in rows of sixteen, with the printable characters beside them.
pub fn dump(bytes: &[u8]) -> String {
    let mut text = format!("{} bytes", bytes.len());
    for (row, chunk) in bytes.chunks(16).take(ROWS_MAX).enumerate() {
        let hex: Vec<String> = chunk.iter().map(|b| format!("{b:02x}")).collect();
        let printable: String = chunk
            .iter()
            .map(|&b| if b.is_ascii_graphic() || b == b' ' { char::from(b) } else { '.' })
            .collect();
        text.push_str(&format!("\n  {:04x}  {:<47}  {printable}", row * 16, hex.join(" ")));
    }
    if bytes.len() > ROWS_MAX * 16 {
        text.push_str("\n  ...");
    }
    text
}

/// A failure message should fit on a screen.
const ROWS_MAX: usize = 16;
