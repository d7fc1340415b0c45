//! Bytes as letters that may stand in a page, and what a file must be (subresource integrity).

use sha2::{Digest, Sha256};

/// Base64 (RFC 4648, section 4).
pub fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |i: usize| u32::from(chunk.get(i).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        let letter = |i: usize| char::from(ALPHABET[(bits >> (18 - 6 * i)) as usize & 63]);
        text.extend((0..4).map(|i| if i <= chunk.len() { letter(i) } else { '=' }));
    }
    text
}

/// `sha256-…`, as browsers check it.
pub fn integrity(bytes: &[u8]) -> String {
    format!("sha256-{}", base64(&Sha256::digest(bytes)))
}

#[cfg(test)]
mod tests {
    use super::{base64, integrity};

    #[test]
    fn letters_and_sums_are_those_of_the_standards() {
        assert_eq!(["", "f", "fo", "foo"].map(|text| base64(text.as_bytes())), ["", "Zg==", "Zm8=", "Zm9v"]);
        // FIPS 180-4's sum of "abc".
        assert_eq!(integrity(b"abc"), "sha256-ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=");
    }
}
