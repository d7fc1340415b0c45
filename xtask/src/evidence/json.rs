//! Reading what the examples print. Small and of its own, because this program has no dependencies.

use crate::house::Result;

/// A JSON value. Objects keep their order.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    /// `null`, and whatever is not there.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(f64),
    /// A string.
    Text(String),
    /// An array.
    List(Vec<Json>),
    /// An object.
    Object(Vec<(String, Json)>),
}

/// Deepest nesting that is read, so that no input can exhaust the stack.
const DEEPEST: usize = 64;

impl Json {
    /// Reads one value.
    ///
    /// # Errors
    /// A sentence with the place, when the text is no JSON.
    pub fn parse(text: &str) -> Result<Self> {
        let mut reader = Reader { text, at: 0 };
        let value = reader.value(0)?;
        reader.skip_space();
        if reader.at == text.len() { Ok(value) } else { Err(reader.fault("the end")) }
    }

    /// The value of a key; [`Json::Null`] where there is none.
    pub fn get(&self, key: &str) -> &Self {
        let Self::Object(fields) = self else { return &Self::Null };
        fields.iter().find(|(name, _)| name == key).map_or(&Self::Null, |(_, value)| value)
    }

    /// Elements of an array; none of anything else.
    pub fn list(&self) -> &[Self] {
        if let Self::List(values) = self { values } else { &[] }
    }

    /// Fields of an object; none of anything else.
    pub fn fields(&self) -> &[(String, Self)] {
        if let Self::Object(fields) = self { fields } else { &[] }
    }

    /// The number.
    pub fn number(&self) -> Option<f64> {
        if let Self::Number(number) = self { Some(*number) } else { None }
    }

    /// The string.
    pub fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// Numbers of an array.
    pub fn numbers(&self) -> Vec<f64> {
        self.list().iter().filter_map(Self::number).collect()
    }
}

/// A string as JSON has it.
pub fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => out.extend(['\\', letter]),
            '\n' => out.push_str("\\n"),
            control if control < ' ' => out.push_str(&format!("\\u{:04x}", control as u32)),
            other => out.push(other),
        }
    }
    out.push('"');
    out
}

/// The path of the first difference of two values, keys of measured times left out; `None` when they are the same.
pub fn difference(one: &Json, other: &Json, times: &[&str]) -> Option<String> {
    match (one, other) {
        (Json::Object(fields), Json::Object(others)) => {
            let counts = |fields: &[(String, Json)]| fields.iter().filter(|(key, _)| !times.contains(&&**key)).count();
            if counts(fields) != counts(others) {
                return Some("(other fields)".to_owned());
            }
            let compared = fields.iter().filter(|(key, _)| !times.contains(&&**key));
            compared
                .into_iter()
                .find_map(|(key, value)| difference(value, other.get(key), times).map(|path| format!(".{key}{path}")))
        }
        (Json::List(values), Json::List(others)) if values.len() == others.len() => {
            let mut pairs = values.iter().zip(others).enumerate();
            pairs.find_map(|(at, (value, other))| difference(value, other, times).map(|path| format!("[{at}]{path}")))
        }
        _ if one == other => None,
        (Json::Number(one), Json::Number(other)) => Some(format!(": {one} and {other}")),
        _ => Some(": other values".to_owned()),
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn fault(&self, expected: &str) -> String {
        format!("no JSON: expected {expected} at byte {}", self.at)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    fn takes(&mut self, word: &str) -> bool {
        let is_next = self.text[self.at..].starts_with(word);
        if is_next {
            self.at += word.len();
        }
        is_next
    }

    fn value(&mut self, depth: usize) -> Result<Json> {
        if depth > DEEPEST {
            return Err(self.fault("a flatter value"));
        }
        self.skip_space();
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => Ok(Json::Text(self.string()?)),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ if self.takes("null") => Ok(Json::Null),
            _ if self.takes("true") => Ok(Json::Bool(true)),
            _ if self.takes("false") => Ok(Json::Bool(false)),
            _ => Err(self.fault("a value")),
        }
    }

    fn object(&mut self, depth: usize) -> Result<Json> {
        let mut fields = Vec::new();
        self.at += 1;
        self.skip_space();
        if self.takes("}") {
            return Ok(Json::Object(fields));
        }
        loop {
            self.skip_space();
            if self.peek() != Some(b'"') {
                return Err(self.fault("a key"));
            }
            let key = self.string()?;
            self.skip_space();
            if !self.takes(":") {
                return Err(self.fault("`:`"));
            }
            fields.push((key, self.value(depth + 1)?));
            self.skip_space();
            if self.takes("}") {
                return Ok(Json::Object(fields));
            }
            if !self.takes(",") {
                return Err(self.fault("`,` or `}`"));
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<Json> {
        let mut values = Vec::new();
        self.at += 1;
        self.skip_space();
        if self.takes("]") {
            return Ok(Json::List(values));
        }
        loop {
            values.push(self.value(depth + 1)?);
            self.skip_space();
            if self.takes("]") {
                return Ok(Json::List(values));
            }
            if !self.takes(",") {
                return Err(self.fault("`,` or `]`"));
            }
        }
    }

    fn number(&mut self) -> Result<Json> {
        let rest = &self.text[self.at..];
        let is_part = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E');
        let length = rest.bytes().take_while(|byte| is_part(*byte)).count();
        let number = rest[..length].parse().map_err(|_| self.fault("a number"))?;
        self.at += length;
        Ok(Json::Number(number))
    }

    fn string(&mut self) -> Result<String> {
        let mut out = String::new();
        self.at += 1;
        loop {
            let rest = &self.text[self.at..];
            let plain = rest.find(['"', '\\']).ok_or_else(|| self.fault("the end of a string"))?;
            out.push_str(&rest[..plain]);
            self.at += plain;
            if self.takes("\"") {
                return Ok(out);
            }
            out.push(self.escape()?);
        }
    }

    fn escape(&mut self) -> Result<char> {
        let escaped = self.text[self.at + 1..].chars().next().ok_or_else(|| self.fault("an escape"))?;
        self.at += 1 + escaped.len_utf8();
        Ok(match escaped {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'u' => {
                let unit = self.hex()?;
                // A pair of surrogates is one letter.
                let is_high = (0xd800..0xdc00).contains(&unit) && self.takes("\\u");
                let code = if is_high { 0x10000 + ((unit - 0xd800) << 10) + (self.hex()? & 0x3ff) } else { unit };
                char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
            }
            other => other,
        })
    }

    fn hex(&mut self) -> Result<u32> {
        let digits = self.text.get(self.at..self.at + 4).ok_or_else(|| self.fault("four hexadecimal digits"))?;
        let unit = u32::from_str_radix(digits, 16).map_err(|_| self.fault("four hexadecimal digits"))?;
        self.at += 4;
        Ok(unit)
    }
}

#[cfg(test)]
mod tests {
    use super::{DEEPEST, Json, difference, quoted};

    #[test]
    fn values_of_every_kind_are_read() {
        let read = Json::parse(r#" {"a": [1, -2.5e-1, true, null], "b": {"c": "x\"\u00e4\ud83d\ude00\n"}, "d": []} "#);
        let read = read.unwrap();
        assert_eq!(read.get("a").numbers(), [1.0, -0.25]);
        assert_eq!(read.get("a").list()[2..], [Json::Bool(true), Json::Null]);
        assert_eq!(read.get("b").get("c").text(), Some("x\"ä😀\n"));
        assert_eq!((read.get("d").list().len(), read.get("e")), (0, &Json::Null));
    }

    #[test]
    fn what_is_quoted_is_read_back() {
        let text = "a \"b\" \\ c\n\u{1} ä";
        assert_eq!(Json::parse(&quoted(text)), Ok(Json::Text(text.to_owned())));
    }

    #[test]
    fn broken_text_is_refused_with_its_place() {
        for (broken, fault) in [
            ("", "a value at byte 0"),
            ("{", "a key at byte 1"),
            ("[1,", "a value at byte 3"),
            ("{\"a\" 1}", "`:` at byte 5"),
            ("\"a", "the end of a string at byte 1"),
            ("1 2", "the end at byte 2"),
            ("nul", "a value at byte 0"),
            ("\"\\u12\"", "four hexadecimal digits at byte 3"),
            ("[1 2]", "`,` or `]` at byte 3"),
        ] {
            assert_eq!(Json::parse(broken), Err(format!("no JSON: expected {fault}")), "{broken}");
        }
    }

    #[test]
    fn no_nesting_exhausts_the_stack() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(Json::parse(&nested(DEEPEST + 1)).is_ok());
        let fault = "no JSON: expected a flatter value at byte 65";
        assert_eq!(Json::parse(&nested(DEEPEST + 2)), Err(fault.to_owned()));
        // Not the missing end is what is wrong with it.
        assert_eq!(Json::parse(&"[".repeat(100)), Err(fault.to_owned()));
    }

    #[test]
    fn times_may_differ_and_numbers_may_not() {
        let read = |text: &str| Json::parse(text).unwrap();
        let one = read(r#"{"a": [{"x": 1, "seconds": 2}], "b": 1}"#);
        assert_eq!(difference(&one, &read(r#"{"b": 1, "a": [{"x": 1, "seconds": 9}]}"#), &["seconds"]), None);
        let other = read(r#"{"a": [{"x": 3, "seconds": 2}], "b": 1}"#);
        assert_eq!(difference(&one, &other, &["seconds"]).as_deref(), Some(".a[0].x: 1 and 3"));
        let shorter = read(r#"{"a": [], "b": 1}"#);
        assert_eq!(difference(&one, &shorter, &[]).as_deref(), Some(".a: other values"));
        let fewer = read(r#"{"a": [{"x": 1, "seconds": 2}]}"#);
        assert_eq!(difference(&one, &fewer, &[]).as_deref(), Some("(other fields)"));
    }
}
