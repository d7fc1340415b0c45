//! Views of storages as PyTorch files have them, with any offset, sizes and strides: read number by number as PyTorch
//! reads them, or refused where the storage ends before.
#![no_main]

use heirloom_checkpoint::Checkpoint;
use heirloom_fuzz::{pytorch_zip, within_memory};
use heirloom_platform::file::FileHandle;
use libfuzzer_sys::fuzz_target;

/// Numbers of the only storage, each of which is its own place.
const NUMBERS: usize = 512;
/// A Vision Transformer of one layer and four channels.
const TENSORS: [(&str, &[i32]); 19] = [
    ("cls_token", &[1, 1, 4]),
    ("pos_embed", &[1, 5, 4]),
    ("patch_embed.proj.weight", &[4, 1, 2, 2]),
    ("patch_embed.proj.bias", &[4]),
    ("blocks.0.norm1.weight", &[4]),
    ("blocks.0.norm1.bias", &[4]),
    ("blocks.0.attn.qkv.weight", &[12, 4]),
    ("blocks.0.attn.qkv.bias", &[12]),
    ("blocks.0.attn.proj.weight", &[4, 4]),
    ("blocks.0.attn.proj.bias", &[4]),
    ("blocks.0.norm2.weight", &[4]),
    ("blocks.0.norm2.bias", &[4]),
    ("blocks.0.mlp.fc1.weight", &[6, 4]),
    ("blocks.0.mlp.fc1.bias", &[6]),
    ("blocks.0.mlp.fc2.weight", &[4, 6]),
    ("blocks.0.mlp.fc2.bias", &[4]),
    ("norm.weight", &[4]),
    ("norm.bias", &[4]),
    ("head.weight", &[3, 4]),
];

/// A view: where it begins, and the step along each axis.
struct View {
    offset: i32,
    strides: Vec<i32>,
}

impl View {
    /// Small steps and offsets for the most part, now and then any number.
    fn of(axes: usize, bytes: &mut impl Iterator<Item = u8>) -> Self {
        let mut number = || {
            let mut byte = || bytes.next().unwrap_or(1);
            match byte() {
                255 => i32::from_le_bytes([byte(), byte(), byte(), byte()]),
                small => i32::from(small) % 48,
            }
        };
        Self { offset: number(), strides: (0..axes).map(|_| number()).collect() }
    }

    /// Places in the storage, row-major; `None` where one lies outside.
    fn places(&self, shape: &[i32]) -> Option<Vec<f32>> {
        let mut places = vec![i64::from(self.offset)];
        for (&size, &stride) in shape.iter().zip(&self.strides) {
            let steps =
                |place: &i64| (0..i64::from(size)).map(|step| place + step * i64::from(stride)).collect::<Vec<_>>();
            places = places.iter().flat_map(steps).collect();
        }
        let is_inside = |place: &i64| (0..NUMBERS as i64).contains(place);
        let is_forward = self.offset >= 0 && self.strides.iter().all(|&stride| stride >= 0);
        (is_forward && places.iter().all(is_inside)).then(|| places.into_iter().map(|place| place as f32).collect())
    }
}

fuzz_target!(|bytes: &[u8]| {
    let mut bytes = bytes.iter().copied();
    let views: Vec<View> = TENSORS.iter().map(|(_, shape)| View::of(shape.len(), &mut bytes)).collect();
    let storage: Vec<u8> = (0..NUMBERS).flat_map(|place| (place as f32).to_le_bytes()).collect();
    let file = FileHandle::from_bytes("model.pth", pytorch_zip(&pickle(&views), &storage));
    within_memory(file.len() as usize, || {
        pollster::block_on(async {
            let opened = Checkpoint::open(&[file]).await;
            for ((key, shape), view) in TENSORS.iter().zip(&views) {
                let places = view.places(shape);
                match &opened {
                    // What cannot be read may be found out at once.
                    Err(_) => continue,
                    Ok(model) => match (model.tensor(key).await, places) {
                        (Ok(read), Some(places)) => assert_eq!(read.values, places, "{key}"),
                        (Ok(read), None) => panic!("`{key}` was read outside its storage: {:?}", read.values),
                        (Err(error), Some(_)) => panic!("`{key}` could have been read: {error}"),
                        (Err(_), None) => {}
                    },
                }
            }
            let is_whole = TENSORS.iter().zip(&views).all(|((_, shape), view)| view.places(shape).is_some());
            if let (true, Err(error)) = (is_whole, opened) {
                panic!("a model whose tensors can all be read was refused: {error}");
            }
        });
    });
});

/// A dictionary of views of one storage.
fn pickle(views: &[View]) -> Vec<u8> {
    let mut out = b"\x80\x02}(".to_vec();
    let text = |out: &mut Vec<u8>, text: &str| {
        out.push(b'X');
        out.extend((text.len() as u32).to_le_bytes());
        out.extend(text.as_bytes());
    };
    let number = |out: &mut Vec<u8>, number: i32| {
        out.push(b'J');
        out.extend(number.to_le_bytes());
    };
    let tuple = |out: &mut Vec<u8>, numbers: &[i32]| {
        out.push(b'(');
        numbers.iter().for_each(|&one| number(out, one));
        out.push(b't');
    };
    for ((key, shape), view) in TENSORS.iter().zip(views) {
        text(&mut out, key);
        out.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((");
        text(&mut out, "storage");
        out.extend(b"ctorch\nFloatStorage\n");
        text(&mut out, "0");
        text(&mut out, "cpu");
        number(&mut out, NUMBERS as i32);
        out.extend(b"tQ");
        number(&mut out, view.offset);
        tuple(&mut out, shape);
        tuple(&mut out, &view.strides);
        out.extend(b"\x89ccollections\nOrderedDict\n)RtR");
    }
    out.extend(b"u.");
    out
}
