//! An RGB picture in memory, and its PNG form.

use std::path::Path;

use super::{PictureError, Rgb};

/// Largest width or height of a picture.
pub const MAX_SIDE: usize = 16_384;

/// An RGB picture, 8 bits a channel, rows from top to bottom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    width: usize,
    height: usize,
    bytes: Vec<u8>,
}

impl Picture {
    /// A picture of one colour.
    pub fn filled(width: usize, height: usize, color: Rgb) -> Result<Self, PictureError> {
        check_size(width, height)?;
        Ok(Self { width, height, bytes: color.0.repeat(width * height) })
    }

    /// Takes over rows of RGB bytes; `bytes` must hold `3 * width * height`.
    pub(super) fn from_bytes(width: usize, height: usize, bytes: Vec<u8>) -> Result<Self, PictureError> {
        check_size(width, height)?;
        if bytes.len() != 3 * width * height {
            return Err(PictureError::Size { width, height });
        }
        Ok(Self { width, height, bytes })
    }

    /// Width in pixels.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> usize {
        self.height
    }

    /// RGB bytes, row by row.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Colour of a pixel; `x` and `y` must lie inside.
    pub fn pixel(&self, x: usize, y: usize) -> Rgb {
        let at = 3 * (y * self.width + x);
        Rgb([self.bytes[at], self.bytes[at + 1], self.bytes[at + 2]])
    }

    /// Paints `color` over a pixel with the given coverage; pixels outside are ignored.
    pub(super) fn blend(&mut self, x: i64, y: i64, color: Rgb, coverage: f64) {
        let (Ok(x), Ok(y)) = (usize::try_from(x), usize::try_from(y)) else {
            return;
        };
        if x >= self.width || y >= self.height {
            return;
        }
        let coverage = coverage.clamp(0.0, 1.0);
        let at = 3 * (y * self.width + x);
        for (under, over) in self.bytes[at..at + 3].iter_mut().zip(color.0) {
            let mixed = f64::from(*under) * (1.0 - coverage) + f64::from(over) * coverage;
            *under = mixed.round() as u8;
        }
    }

    /// Fills a rectangle, clipped to the picture.
    pub(super) fn fill_rectangle(&mut self, x: usize, y: usize, width: usize, height: usize, color: Rgb) {
        for row in y..(y + height).min(self.height) {
            for column in x..(x + width).min(self.width) {
                self.blend(column as i64, row as i64, color, 1.0);
            }
        }
    }

    /// Copies `other` with its corner at (`x`, `y`), clipped to this picture.
    pub(super) fn paste(&mut self, other: &Picture, x: usize, y: usize) {
        let columns = other.width.min(self.width.saturating_sub(x));
        for row in 0..other.height.min(self.height.saturating_sub(y)) {
            let from = 3 * row * other.width;
            let to = 3 * ((y + row) * self.width + x);
            self.bytes[to..to + 3 * columns].copy_from_slice(&other.bytes[from..from + 3 * columns]);
        }
    }

    /// The picture as the bytes of a PNG file.
    pub fn to_png(&self) -> Result<Vec<u8>, PictureError> {
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, self.width as u32, self.height as u32);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_compression(png::Compression::Balanced);
        encoder.set_source_srgb(png::SrgbRenderingIntent::Perceptual);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&self.bytes)?;
        writer.finish()?;
        Ok(file)
    }

    /// Writes a PNG file.
    pub fn save_png(&self, path: impl AsRef<Path>) -> Result<(), PictureError> {
        let path = path.as_ref();
        std::fs::write(path, self.to_png()?).map_err(|source| PictureError::Write { path: path.to_owned(), source })
    }
}

pub(super) fn check_size(width: usize, height: usize) -> Result<(), PictureError> {
    if (1..=MAX_SIDE).contains(&width) && (1..=MAX_SIDE).contains(&height) {
        Ok(())
    } else {
        Err(PictureError::Size { width, height })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn png_decodes_to_the_same_bytes() {
        let mut picture = Picture::filled(17, 5, Rgb::CLAY).unwrap();
        picture.blend(3, 2, Rgb::INK, 1.0);
        picture.blend(-1, 99, Rgb::INK, 1.0);
        let file = picture.to_png().unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(file)).read_info().unwrap();
        let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut bytes).unwrap();
        assert_eq!((info.width, info.height), (17, 5));
        assert_eq!(&bytes[..info.buffer_size()], picture.bytes());
        assert_eq!(picture.pixel(3, 2), Rgb::INK);
    }

    #[test]
    fn impossible_sizes_are_refused() {
        for (width, height) in [(0, 4), (4, 0), (MAX_SIDE + 1, 4)] {
            assert!(matches!(Picture::filled(width, height, Rgb::WHITE), Err(PictureError::Size { .. })));
        }
    }

    #[test]
    fn paste_is_clipped() {
        let mut picture = Picture::filled(4, 4, Rgb::WHITE).unwrap();
        picture.paste(&Picture::filled(9, 9, Rgb::INK).unwrap(), 2, 3);
        assert_eq!(picture.pixel(1, 3), Rgb::WHITE);
        assert_eq!(picture.pixel(3, 3), Rgb::INK);
    }
}
