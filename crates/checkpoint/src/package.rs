//! A folder for other people, as one zip: weights, a description that programs and people can read, the names of the
//! classes, and how to load it all.

use std::io::{Cursor, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::description::Description;
use super::write::{write_config, write_safetensors};
use super::{timm, timm_mobile};
use heirloom_plan::config::VitConfig;
use heirloom_plan::weights::HostTensor;

/// Name of the weights inside, where timm and Hugging Face look for them.
const WEIGHTS: &str = "model.safetensors";

/// Writes weights, `config.json`, `labels.txt` and `README.txt` as a zip. `resize` is the shorter side that pictures
/// are scaled to before the centre is cut out, px.
///
/// # Errors
/// When the zip cannot be made.
pub fn write_package(
    tensors: impl IntoIterator<Item = (String, HostTensor)>,
    description: &Description,
    resize: usize,
) -> std::io::Result<Vec<u8>> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let mut add = |name: &str, bytes: &[u8]| {
        // Weights do not get smaller, and people can look into a stored file with anything.
        zip.start_file(name, SimpleFileOptions::default().compression_method(CompressionMethod::Stored))?;
        zip.write_all(bytes)
    };
    add(WEIGHTS, &write_safetensors(tensors, description))?;
    add("config.json", write_config(description, resize).as_bytes())?;
    if let Some(labels) = &description.labels {
        add("labels.txt", (labels.join("\n") + "\n").as_bytes())?;
    }
    add("README.txt", readme(description, resize).as_bytes())?;
    Ok(zip.finish()?.into_inner())
}

/// How to use the folder, for people.
fn readme(description: &Description, resize: usize) -> String {
    let vit = description.config.vit();
    let mut text = format!(
        "A small {} made with Heirloom, for pictures of {} px.\n\n\
         {WEIGHTS}  the weights\n\
         config.json        the description: shape, classes, how pictures are prepared\n",
        vit.map_or_else(|| "vision model".to_string(), shape),
        description.config.image_size()
    );
    if description.labels.is_some() {
        text.push_str("labels.txt         the names of the classes, one a line, in the order of the scores\n");
    }
    text.push_str(&format!("\nIn Heirloom\n\nDrop the zip, or {WEIGHTS} alone, on step 1.\n\n"));
    let python = match (vit, description.config.cnn()) {
        (Some(vit), _) => Some(in_python(&timm::python(vit, WEIGHTS), timm::is_usual(vit))),
        (_, Some(cnn)) => {
            let lines = timm_mobile::python(cnn, WEIGHTS);
            lines.map(|lines| in_python(&lines, timm_mobile::architecture(cnn).is_some()))
        }
        _ => None,
    };
    text + &python.unwrap_or_default() + &preparing(description, resize)
}

fn shape(config: &VitConfig) -> String {
    let VitConfig { depth, num_heads, head_dim, embed_dim, .. } = config;
    format!("Vision Transformer ({depth} layers, {num_heads} heads of {head_dim} channels, width {embed_dim})")
}

/// `is_known`: whether timm has such a model.
fn in_python(lines: &str, is_known: bool) -> String {
    let lines = indented(lines);
    let short = match is_known {
        true => {
            "or, with this folder unpacked as FOLDER, in one line:\n\n    \
             model = timm.create_model(\"local-dir:FOLDER\", pretrained=True).eval()\n\n"
        }
        false => "",
    };
    format!("In Python (tested with timm 1.0.31)\n\n{lines}\n{short}")
}

/// How a picture becomes the model's input.
fn preparing(description: &Description, resize: usize) -> String {
    let Some(said) = &description.preprocessing else { return String::new() };
    let size = said.image_size;
    let code = format!(
        "from PIL import Image\nfrom torchvision import transforms as T\n\n\
         prepare = T.Compose([T.Resize({resize}, T.InterpolationMode.BICUBIC), T.CenterCrop({size}), T.ToTensor(),\n\
         {:21}T.Normalize({:?}, {:?})])\n\
         scores = model(prepare(Image.open(\"picture.jpg\").convert(\"RGB\")).unsqueeze(0))\n",
        "", said.mean, said.std
    );
    format!(
        "Pictures are scaled so that their shorter side has {resize} px (bicubic), the middle {size} x {size} px are \
         cut out\n(a picture of exactly {size} x {size} px is used as it is), and each channel becomes (value - mean) / \
         std of its value in 0..1:\n\n{}",
        indented(&code)
    )
}

fn indented(code: &str) -> String {
    code.lines().map(|line| if line.is_empty() { "\n".into() } else { format!("    {line}\n") }).collect()
}
