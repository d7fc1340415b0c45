//! The wire format of Protocol Buffers, as far as ONNX needs it: a message is a row of fields, each a key (number and
//! kind), then a varint, four bytes, or a length and that many bytes.

const VARINT: u64 = 0;
const BYTES: u64 = 2;
const FOUR_BYTES: u64 = 5;

/// A message being written. Fields may come in any order, and a field that may repeat is simply written again.
#[derive(Default)]
pub struct Message {
    bytes: Vec<u8>,
}

impl Message {
    /// An empty message.
    pub fn new() -> Self {
        Self::default()
    }

    /// A whole number; negative ones take ten bytes, as the format asks.
    pub fn int(mut self, field: u64, value: i64) -> Self {
        self.key(field, VARINT);
        varint(&mut self.bytes, value as u64);
        self
    }

    /// A number.
    pub fn float(mut self, field: u64, value: f32) -> Self {
        self.key(field, FOUR_BYTES);
        self.bytes.extend(value.to_le_bytes());
        self
    }

    /// A text.
    pub fn text(self, field: u64, value: &str) -> Self {
        self.bytes(field, value.as_bytes())
    }

    /// Bytes as they are.
    pub fn bytes(mut self, field: u64, value: &[u8]) -> Self {
        self.prefix(field, value.len());
        self.bytes.extend(value);
        self
    }

    /// A message inside this one.
    pub fn message(self, field: u64, value: &Self) -> Self {
        self.bytes(field, &value.bytes)
    }

    /// The field's key and the length of bytes that whoever calls this adds behind the message.
    pub fn prefix(&mut self, field: u64, length: usize) {
        self.key(field, BYTES);
        varint(&mut self.bytes, length as u64);
    }

    /// The message so far.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Its length so far, bytes.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    fn key(&mut self, field: u64, kind: u64) {
        varint(&mut self.bytes, (field << 3) | kind);
    }
}

/// Seven bits a byte, lowest first; the top bit says that more follow.
fn varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::Message;

    #[test]
    fn fields_are_those_of_the_formats_own_examples() {
        assert_eq!(Message::new().int(1, 150).into_bytes(), [0x08, 0x96, 0x01]);
        assert_eq!(Message::new().text(2, "testing").into_bytes(), b"\x12\x07testing");
        let inner = Message::new().int(1, 150);
        assert_eq!(Message::new().message(3, &inner).into_bytes(), [0x1a, 0x03, 0x08, 0x96, 0x01]);
    }

    #[test]
    fn a_negative_number_takes_ten_bytes_and_a_large_field_two() {
        let mut expected = vec![0xa0, 0x01];
        expected.extend([0xff; 9]);
        expected.push(0x01);
        assert_eq!(Message::new().int(20, -1).into_bytes(), expected);
        assert_eq!(Message::new().float(2, 1.0).into_bytes(), [0x15, 0, 0, 0x80, 0x3f]);
    }
}
