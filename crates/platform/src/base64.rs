//! Bytes as text that may stand in a web page (RFC 4648, section 4).

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Letters that stand for so many bytes.
pub fn encoded_len(bytes: usize) -> usize {
    bytes.div_ceil(3) * 4
}

/// Adds the letters of some bytes to `text`.
pub fn encode(bytes: &[u8], text: &mut Vec<u8>) {
    text.reserve(encoded_len(bytes.len()));
    for chunk in bytes.chunks(3) {
        let byte = |i: usize| u32::from(chunk.get(i).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for i in 0..4 {
            let letter = ALPHABET[(bits >> (18 - 6 * i)) as usize & 63];
            text.push(if i <= chunk.len() { letter } else { b'=' });
        }
    }
}

/// Adds the bytes that some letters stand for, a multiple of four. `None` when they stand for none; padding is allowed at
/// their end.
pub fn decode(text: &[u8], bytes: &mut Vec<u8>) -> Option<()> {
    let (quads, rest) = text.as_chunks::<4>();
    if !rest.is_empty() {
        return None;
    }
    bytes.reserve(quads.len() * 3);
    for (at, quad) in quads.iter().enumerate() {
        let padding = quad.iter().rev().take_while(|&&letter| letter == b'=').count();
        if padding > 2 || (padding > 0 && at + 1 < quads.len()) {
            return None;
        }
        let mut bits = 0;
        for &letter in &quad[..4 - padding] {
            bits = bits << 6 | value(letter)?;
        }
        bits <<= 6 * padding;
        bytes.extend_from_slice(&bits.to_be_bytes()[1..4 - padding]);
    }
    Some(())
}

fn value(letter: u8) -> Option<u32> {
    let value = match letter {
        b'A'..=b'Z' => letter - b'A',
        b'a'..=b'z' => letter - b'a' + 26,
        b'0'..=b'9' => letter - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    };
    Some(u32::from(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors of RFC 4648, section 10.
    const KNOWN: [(&str, &str); 7] = [
        ("", ""),
        ("f", "Zg=="),
        ("fo", "Zm8="),
        ("foo", "Zm9v"),
        ("foob", "Zm9vYg=="),
        ("fooba", "Zm9vYmE="),
        ("foobar", "Zm9vYmFy"),
    ];

    #[test]
    fn letters_are_those_of_the_standard_both_ways() {
        for (bytes, letters) in KNOWN {
            let (mut text, mut back) = (Vec::new(), Vec::new());
            encode(bytes.as_bytes(), &mut text);
            assert_eq!(text, letters.as_bytes());
            assert_eq!((decode(&text, &mut back), back.as_slice()), (Some(()), bytes.as_bytes()));
        }
        let all: Vec<u8> = (0..=255).collect();
        let (mut text, mut back) = (Vec::new(), Vec::new());
        encode(&all, &mut text);
        assert!(text.contains(&b'+') && text.contains(&b'/'));
        assert_eq!((decode(&text, &mut back), back), (Some(()), all));
    }

    #[test]
    fn other_letters_and_padding_in_the_middle_are_refused() {
        for text in ["Zg=", "Z===", "====", "Zg==Zg==", "Zm9\n", "Zm-v", "Zm=v", "Zm9v<"] {
            assert_eq!(decode(text.as_bytes(), &mut Vec::new()), None, "{text}");
        }
    }
}
