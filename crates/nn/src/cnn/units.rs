//! Networks put together from stages of another: stem, chosen stages in order, random stages on top, new classifier
//! (docs/methods.md, section 3).

use burn::tensor::Device;

use super::{Cnn, RandomWeights, SeamError, Unit};

impl Cnn {
    /// A network from units of this one; see [`CnnConfig::from_units`](super::CnnConfig::from_units). What is not inherited starts from random numbers
    /// of `seed`. It comes without autodiff; running statistics are inherited with their stages. The convolution after
    /// the last stage is inherited where the ancestor's last stage ends the network: it reads that stage's channels.
    ///
    /// # Errors
    /// When a unit is unknown, or two neighbours do not fit.
    pub async fn from_units(
        &self,
        units: &[Unit],
        classes: usize,
        image_size: usize,
        seed: u64,
    ) -> Result<Self, SeamError> {
        let config = self.config.from_units(units, classes, image_size)?;
        let device: Device = self.device().inner();
        let Ok(mut cnn) = Self::load(&config, &mut RandomWeights { seed }, &device).await;
        cnn.stem = self.stem.as_ref().map(burn::module::Module::valid);
        for (place, unit) in units.iter().enumerate() {
            if let Unit::Inherited(at) = *unit {
                cnn.stages[place] = burn::module::Module::valid(&self.stages[at]);
            }
        }
        if units.last() == Some(&Unit::Inherited(self.stages.len().saturating_sub(1))) {
            cnn.conv_head = self.conv_head.as_ref().map(burn::module::Module::valid);
        }
        Ok(cnn)
    }
}
