//! Reading the folders of a set otherwise: the person says which level names the class.

use super::adding::{Found, class_name};
use super::error::PictureError;
use super::place::Side;
use super::reading::{Level, read};
use super::set::{Added, KnownPicture, Picture, PictureSet};

impl PictureSet {
    /// Reads the folders again, by this level; later ones too. Classes that the person named stay. Nothing is looked at
    /// anew, but the order of the pictures may change.
    pub async fn read_by(&mut self, level: Level) {
        let paths = self.pictures.iter().map(|picture| picture.path.clone());
        let thumbnails = std::mem::take(&mut self.thumbnails);
        let made: Vec<_> =
            paths.enumerate().filter_map(|(i, path)| Some((path, thumbnails.get(&i)?.clone()))).collect();
        let taken = std::mem::take(&mut self.pictures).into_iter().map(|picture| {
            let Picture { path, source, header, hash, given, .. } = picture;
            Found { path, source, header, hash, given }
        });
        let found: Vec<Found> = taken.chain(std::mem::take(&mut self.loose)).collect();
        self.refused.retain(|one| !matches!(one.reason, PictureError::Loose | PictureError::NoClass));
        self.by_len.clear();
        self.paths.clear();
        (self.level, self.otherwise) = (level, None);
        self.take_in(found, &mut Added::default()).await;
        for (path, thumbnail) in made {
            if let Some(i) = self.pictures.iter().position(|picture| picture.path == path) {
                self.thumbnails.insert(i, thumbnail);
            }
        }
    }

    /// The sides of pictures that were in a set before, and whether all their classes are what the folders say: then they
    /// can be read otherwise.
    pub(super) fn recognise(&mut self, known: &[KnownPicture]) -> (Vec<Option<Side>>, bool) {
        let paths: Vec<&str> = known.iter().map(|one| one.path.as_str()).collect();
        for level in [Level::Fitting, Level::Outermost, Level::Innermost] {
            let reading = read(&paths, level);
            let classes = reading.places.iter().map(|place| place.class.as_deref().map(class_name));
            if classes.zip(known).all(|(read, one)| read.as_ref() == Some(&one.class)) {
                (self.level, self.otherwise, self.calls) = (level, reading.otherwise, 1);
                return (reading.places.into_iter().map(|place| place.side).collect(), true);
            }
        }
        let sides = read(&paths, Level::Fitting).places.into_iter().map(|place| place.side).collect();
        (sides, false)
    }
}
