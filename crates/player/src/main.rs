//! The player's program: what the script of a saved page calls.

#[cfg(target_arch = "wasm32")]
mod page {
    use heirloom_lanes::Resizer;
    use heirloom_player::Player;
    use wasm_bindgen::prelude::*;

    fn said(error: impl std::fmt::Display) -> JsError {
        JsError::new(&error.to_string())
    }

    /// The model of this page, and the picture at hand.
    #[wasm_bindgen]
    pub struct PagePlayer {
        player: Player,
        picture: Option<Resizer>,
        /// Rows of the picture without their alpha.
        rows: Vec<u8>,
        seen: Vec<f32>,
    }

    #[wasm_bindgen]
    impl PagePlayer {
        /// Opens the weights of the page.
        #[wasm_bindgen(constructor)]
        pub fn new(weights: &[u8]) -> Result<PagePlayer, JsError> {
            let player = Player::open(weights).map_err(said)?;
            Ok(Self { player, picture: None, rows: Vec::new(), seen: Vec::new() })
        }

        /// Names of the classes.
        pub fn labels(&self) -> Vec<String> {
            self.player.labels().to_vec()
        }

        /// Side of the picture that the model sees, px.
        pub fn side(&self) -> usize {
            self.player.image_size()
        }

        /// Begins a picture.
        pub fn begin(&mut self, width: usize, height: usize) -> Result<(), JsError> {
            self.picture = Some(self.player.begin(width, height).map_err(said)?);
            Ok(())
        }

        /// The next rows of the picture, four bytes a pixel as a canvas has them.
        pub fn rows(&mut self, rgba: &[u8]) {
            self.rows.clear();
            self.rows.extend(rgba.as_chunks::<4>().0.iter().flat_map(|[red, green, blue, _]| [*red, *green, *blue]));
            if let Some(picture) = &mut self.picture {
                picture.push(&self.rows);
            }
        }

        /// Shares of the classes.
        pub fn answer(&mut self) -> Result<Vec<f32>, JsError> {
            let picture = self.picture.take().ok_or_else(|| JsError::new("no picture was begun"))?;
            let answer = self.player.answer(picture);
            self.seen = answer.seen;
            Ok(answer.shares)
        }

        /// What was looked at in the picture that was answered last, patch by patch, a square.
        pub fn seen(&self) -> Vec<f32> {
            self.seen.clone()
        }
    }
}

fn main() {}
