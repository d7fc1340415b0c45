//! Reads code and values off whatever derives `Serialize`.
//!
//! A serializer of its own, because JSON no longer tells a variant without fields from a text: `{"Data": "NoFiles"}`
//! names a sentence, `{"NoClass": "daisy"}` a class.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::ser::{
    Error as _, Impossible, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};
use serde_json::{Error, Value, to_value};

/// The names of the variants with dots between, and the fields of all of them.
pub fn read(reason: &impl Serialize) -> (String, BTreeMap<String, Value>) {
    let mut found = Found::default();
    // What cannot be read (a map, say) is missing among the values; the text says it all the same.
    let _ = reason.serialize(Reader { found: &mut found, name: "0" });
    (found.code.join("."), found.values)
}

#[derive(Default)]
struct Found {
    code: Vec<&'static str>,
    values: BTreeMap<String, Value>,
}

impl Found {
    /// Where an inner sentence has a field of the same name, the innermost variant stands before it.
    fn put(&mut self, name: &str, value: Value) {
        let name = match (self.values.contains_key(name), self.code.last()) {
            (true, Some(variant)) => format!("{variant}.{name}"),
            _ => name.to_owned(),
        };
        self.values.insert(name, value);
    }
}

/// Takes one value, which is a field of this name unless it is a variant.
struct Reader<'a> {
    found: &'a mut Found,
    name: &'static str,
}

impl<'a> Reader<'a> {
    fn put(self, value: Value) -> Result<(), Error> {
        self.found.put(self.name, value);
        Ok(())
    }

    fn list(self) -> Result<List<'a>, Error> {
        Ok(List { reader: self, values: Vec::new() })
    }

    fn fields(self) -> Result<Fields<'a>, Error> {
        Ok(Fields { found: self.found, count: 0 })
    }

    fn variant(self, variant: &'static str) -> Self {
        self.found.code.push(variant);
        Self { name: "0", ..self }
    }
}

/// A value that stands for itself.
macro_rules! plain {
    ($($method:ident: $kind:ty),* $(,)?) => {
        $(fn $method(self, value: $kind) -> Result<(), Error> {
            self.put(to_value(value)?)
        })*
    };
}

impl<'a> Serializer for Reader<'a> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = List<'a>;
    type SerializeTuple = List<'a>;
    type SerializeTupleStruct = List<'a>;
    type SerializeTupleVariant = Fields<'a>;
    type SerializeMap = Impossible<(), Error>;
    type SerializeStruct = Fields<'a>;
    type SerializeStructVariant = Fields<'a>;

    plain! {
        serialize_bool: bool, serialize_char: char, serialize_str: &str,
        serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64,
        serialize_f32: f32, serialize_f64: f64, serialize_bytes: &[u8],
    }

    fn serialize_none(self) -> Result<(), Error> {
        self.put(Value::Null)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Error> {
        self.put(Value::Null)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Error> {
        Ok(())
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), Error> {
        self.variant(variant);
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        value.serialize(self.variant(variant))
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<List<'a>, Error> {
        self.list()
    }

    fn serialize_tuple(self, _: usize) -> Result<List<'a>, Error> {
        self.list()
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<List<'a>, Error> {
        self.list()
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Fields<'a>, Error> {
        self.variant(variant).fields()
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, Error> {
        Err(Error::custom("a sentence holds no map"))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Fields<'a>, Error> {
        self.fields()
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Fields<'a>, Error> {
        self.variant(variant).fields()
    }
}

/// A list is one value.
struct List<'a> {
    reader: Reader<'a>,
    values: Vec<Value>,
}

impl SerializeSeq for List<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.values.push(to_value(value)?);
        Ok(())
    }

    fn end(self) -> Result<(), Error> {
        self.reader.put(Value::Array(self.values))
    }
}

impl SerializeTuple for List<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        SerializeSeq::serialize_element(self, value)
    }

    fn end(self) -> Result<(), Error> {
        SerializeSeq::end(self)
    }
}

impl SerializeTupleStruct for List<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        SerializeSeq::serialize_element(self, value)
    }

    fn end(self) -> Result<(), Error> {
        SerializeSeq::end(self)
    }
}

/// The fields of a sentence, each a value or a sentence itself.
struct Fields<'a> {
    found: &'a mut Found,
    count: usize,
}

impl Fields<'_> {
    fn read<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Error> {
        value.serialize(Reader { found: self.found, name })
    }
}

impl SerializeStruct for Fields<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Error> {
        self.read(name, value)
    }

    fn end(self) -> Result<(), Error> {
        Ok(())
    }
}

impl SerializeStructVariant for Fields<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Error> {
        self.read(name, value)
    }

    fn end(self) -> Result<(), Error> {
        Ok(())
    }
}

impl SerializeTupleVariant for Fields<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        // More than two fields without names would be hard to read in any language.
        let name = ["0", "1", "2", "3"].get(self.count).copied().unwrap_or("more");
        self.count += 1;
        self.read(name, value)
    }

    fn end(self) -> Result<(), Error> {
        Ok(())
    }
}
