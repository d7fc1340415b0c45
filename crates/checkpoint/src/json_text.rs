//! JSON as editors write it: with a byte order mark (Notepad), or as UTF-16 (PowerShell's redirection).

use serde_json::Value;

/// The JSON in these bytes; `None` when they hold none.
pub(super) fn parse(bytes: &[u8]) -> Option<Value> {
    let wide = |read: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes[2..].chunks_exact(2).map(|pair| read([pair[0], pair[1]])).collect();
        serde_json::from_str(&String::from_utf16(&units).ok()?).ok()
    };
    match bytes {
        [0xff, 0xfe, ..] => wide(u16::from_le_bytes),
        [0xfe, 0xff, ..] => wide(u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => serde_json::from_slice(rest).ok(),
        _ => serde_json::from_slice(bytes).ok(),
    }
}

/// Whether a file that begins with these bytes is UTF-16 that opens with a brace or a bracket.
pub(super) fn is_wide(head: &[u8]) -> bool {
    let opens = |&[low, high]: &[u8; 2]| high == 0 && matches!(low, b'{' | b'[');
    match head {
        [0xff, 0xfe, low, high, ..] => opens(&[*low, *high]),
        [0xfe, 0xff, high, low, ..] => opens(&[*low, *high]),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_byte_order_mark_and_utf_16_change_nothing() {
        let text = "{\"labels\": [\"Äpfel\"]}";
        let expected = Some(json!({ "labels": ["Äpfel"] }));
        let (mut little, mut big) = (vec![0xff, 0xfe], vec![0xfe, 0xff]);
        for unit in text.encode_utf16() {
            little.extend(unit.to_le_bytes());
            big.extend(unit.to_be_bytes());
        }
        assert_eq!(parse(text.as_bytes()), expected);
        assert_eq!(parse(format!("\u{feff}{text}").as_bytes()), expected);
        assert_eq!((parse(&little), parse(&big)), (expected.clone(), expected));
        assert!(is_wide(&little) && is_wide(&big) && !is_wide(text.as_bytes()));
        assert_eq!(parse(&little[..3]), None);
    }
}
