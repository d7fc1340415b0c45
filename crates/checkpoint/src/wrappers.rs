//! Names that wrappers leave inside keys: `torch.compile`, activation checkpointing and FSDP may wrap a model block by
//! block, so their names stand anywhere in a key and not only before it.

/// Attributes under which wrappers keep what they wrap; no model calls a part of its own so.
const WRAPPERS: [&str; 3] = ["_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"];

/// The key without the names of wrappers.
pub(super) fn unwrapped(key: &str) -> String {
    key.split('.').filter(|part| !WRAPPERS.contains(part)).collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrappers_are_taken_out_wherever_they_stand() {
        assert_eq!(unwrapped("blocks.0._orig_mod.attn.qkv.weight"), "blocks.0.attn.qkv.weight");
        let both = "_fsdp_wrapped_module.blocks.1._fsdp_wrapped_module._checkpoint_wrapped_module.norm1.bias";
        assert_eq!(unwrapped(both), "blocks.1.norm1.bias");
        assert_eq!(unwrapped("module.head.my_orig_mod.weight"), "module.head.my_orig_mod.weight");
    }
}
