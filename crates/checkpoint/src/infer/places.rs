//! Where patches lie and how a Vision Transformer knows it: position embeddings, biases of relative places, rotary
//! positions.
//!
//! Rotary positions leave no tensor. They are known by the names of DINOv3's tensors, by the architecture's name, or by
//! a structure that no other model has; then it is said what was assumed. What two models share is refused or said.

use super::super::error::CheckpointError;
use super::super::naming::Style;
use super::super::timm_names;
use super::Reader;
use heirloom_plan::config::{Rope, RopeGrid, VitOptions};

/// Register tokens of every DINOv3.
const DINOV3_REGISTERS: usize = 4;
/// Side of the pictures where no tensor and no description says it, px.
const USUAL_SIZE: usize = 224;

impl Reader<'_> {
    /// How queries and keys are turned by their places, if they are.
    pub(super) fn rope(&mut self, options: &VitOptions) -> Option<Rope> {
        if self.any_block("attn.rope_freqs").is_some() {
            return Some(timm_names::ROPE_MIXED);
        }
        if let Some(name) = &self.hints.architecture {
            return timm_names::rope(name);
        }
        if self.found.style == Style::Dinov3 {
            let temperature = self.hints.rope_temperature.unwrap_or(timm_names::DINOV3.temperature);
            return Some(Rope { temperature, ..timm_names::DINOV3 });
        }
        if self.hints.model_type.is_some() || self.found.style != Style::Timm || options.relative_bias {
            return None;
        }
        let registers = self.shapes.get("reg_token").and_then(|shape| shape.get(1)).copied();
        // Sapiens2 is a DINOv3 with RMS norms.
        let has_registers = registers == Some(DINOV3_REGISTERS) || options.rms_norm && registers.is_some();
        let is_dinov3 = has_registers && self.has("cls_token") && self.has_layer_scale();
        if !options.pos_embed && is_dinov3 {
            self.assumptions.push("rotary positions as in DINOv3: there are none of another kind".into());
            return Some(timm_names::DINOV3);
        }
        if options.gated && self.found.is_keyless {
            self.assumptions.push("rotary positions as in EVA-02, whose form this is".into());
            return Some(timm_names::EVA02);
        }
        None
    }

    fn has_layer_scale(&self) -> bool {
        self.any_block("ls1.gamma").is_some()
    }

    /// Whether nothing but the tensors says what this is.
    pub(super) fn is_nameless(&self) -> bool {
        let hints = self.hints;
        self.found.style == Style::Timm && hints.architecture.is_none() && hints.model_type.is_none()
    }

    /// Refuses what has the tensors of a usual Vision Transformer and may compute something else, or says that it may.
    /// `rows`: those of `pos_embed` before the patches.
    pub(super) fn refuse_what_looks_alike(&mut self, options: &VitOptions, rows: usize) -> Result<(), CheckpointError> {
        if !self.is_nameless() || options.rope.is_some() || options.relative_bias {
            return Ok(());
        }
        let (cls, has_bias) = (self.has("cls_token"), self.any_block("attn.qkv.bias").is_some());
        if !cls && !has_bias && self.has("fc_norm.weight") && !self.has_layer_scale() {
            let found = "a Vision Transformer without a CLS token and without biases of queries, keys and values, which may \
                         be one whose norms follow its branches (timm's `_rpn_` models); the `config.json` saved with it \
                         would tell";
            return Err(self.unfit(found.into()));
        }
        if cls && self.found.is_keyless && !options.gated && self.has("norm.weight") {
            let said = "norms before the branches; EVA-CLIP's enormous model has them behind, and the same tensors";
            self.assumptions.push(said.into());
        }
        if cls && rows == 0 && self.has_layer_scale() && !self.has("reg_token") {
            let said = "no rotary positions: DeiT III has none, RoPE-ViT has them, and both have the same tensors";
            self.assumptions.push(said.into());
        }
        Ok(())
    }

    /// Patches along one side, and the rows of `pos_embed` before those of the patches.
    pub(super) fn grid(
        &mut self,
        options: &VitOptions,
        [prefix, registers]: [usize; 2],
        patch: usize,
    ) -> Result<(usize, usize), CheckpointError> {
        let from_biases = match options.relative_bias {
            true => Some(self.grid_of_biases()?),
            false => None,
        };
        let said = self.hints.image_size.filter(|_| patch > 0).map(|size| size / patch);
        let (side, rows) = match (options.pos_embed, from_biases) {
            (true, _) => self.grid_of_positions(prefix, registers, from_biases.or(said))?,
            (false, Some(side)) => (side, 0),
            (false, None) if options.rope.is_some() => {
                let side = said.unwrap_or_else(|| self.usual_grid(patch));
                return Ok((side, 0));
            }
            (false, None) => return Err(self.missing("pos_embed")),
        };
        if let Some(biases) = from_biases.filter(|&biases| biases != side) {
            let found = format!("positions of {side} × {side} patches and biases of {biases} × {biases}");
            return Err(self.unfit(found));
        }
        if let Some(size) = self.hints.image_size.filter(|&size| said != Some(side) && size > 0) {
            let what = if from_biases.is_some() { "biases of relative places" } else { "position embeddings" };
            self.assumptions.push(format!(
                "pictures of {} px, because there are {side} × {side} {what}; `{}` says {size} px",
                side.saturating_mul(patch),
                self.hints.source
            ));
        }
        Ok((side, rows))
    }

    fn usual_grid(&mut self, patch: usize) -> usize {
        let side = USUAL_SIZE.checked_div(patch).unwrap_or(0).max(1);
        let size = side.saturating_mul(patch);
        self.assumptions
            .push(format!("pictures of {size} px: rotary positions fit any size, and nothing says which it was"));
        side
    }

    fn grid_of_positions(
        &self,
        prefix: usize,
        registers: usize,
        said: Option<usize>,
    ) -> Result<(usize, usize), CheckpointError> {
        let shape = self.shapes.get("pos_embed").ok_or_else(|| self.missing("pos_embed"))?;
        let &[1, all, _] = shape.as_slice() else {
            return Err(self.unfit(format!("position embeddings of shape {shape:?} instead of [1, tokens, width]")));
        };
        let side = |rows: usize| {
            let patches = all.checked_sub(rows).filter(|&patches| patches > 0)?;
            let side = patches.isqrt();
            (side * side == patches).then_some((side, rows))
        };
        let possible: Vec<_> = [prefix, 0, prefix + registers].into_iter().filter_map(side).collect();
        let chosen = possible.iter().find(|(side, _)| Some(*side) == said).or(possible.first()).copied();
        chosen.ok_or_else(|| self.unfit(format!("{all} position embeddings, which do not form a square of patches")))
    }

    /// Patches along one side, from a table of a row for every step between two of them and three for CLS.
    fn grid_of_biases(&self) -> Result<usize, CheckpointError> {
        let [rows, _] = self.of_any_block("attn.relative_position_bias_table")?;
        let steps = rows.saturating_sub(3).isqrt();
        match rows >= 4 && steps * steps == rows - 3 && steps % 2 == 1 {
            true => Ok(steps.div_ceil(2)),
            false => Err(self.unfit(format!(
                "{rows} biases of relative places, which are not those of CLS and a square of patches"
            ))),
        }
    }

    /// Whether this is DINOv3 by how it turns queries and keys, and by its norms.
    pub(super) fn is_dinov3(options: &VitOptions) -> bool {
        !options.rms_norm && options.rope.is_some_and(|rope| rope.grid == RopeGrid::Centred)
    }
}
