//! Several pictures in one, with captions, and a legend for colour maps.

use super::text::{Anchor, Type, draw_text, text_width};
use super::{ColorMap, Picture, PictureError, Rgb};

/// A picture with words.
#[derive(Debug, Clone, Copy)]
pub struct Panel<'a> {
    /// What is shown.
    pub picture: &'a Picture,
    /// Title, drawn in its upper left corner.
    pub caption: &'a str,
    /// A smaller line under the title; may be empty.
    pub note: &'a str,
}

/// Panels in one row, for instance before and after.
pub fn side_by_side(panels: &[Panel]) -> Result<Picture, PictureError> {
    grid(panels, panels.len())
}

/// Panels in rows of the given length, all of one size.
pub fn grid(panels: &[Panel], columns: usize) -> Result<Picture, PictureError> {
    let first = panels.first().ok_or(PictureError::NoPanel)?.picture;
    let expected = (first.width(), first.height());
    let columns = columns.clamp(1, panels.len());
    let rows = panels.len().div_ceil(columns);
    let gutter = (expected.0 / 200).max(2);
    let width = columns * (expected.0 + gutter) - gutter;
    let height = rows * (expected.1 + gutter) - gutter;
    let mut whole = Picture::filled(width, height, Rgb::WHITE)?;
    for (index, panel) in panels.iter().enumerate() {
        let found = (panel.picture.width(), panel.picture.height());
        if found != expected {
            return Err(PictureError::PanelSize { panel: index, expected, found });
        }
        let x = index % columns * (expected.0 + gutter);
        let y = index / columns * (expected.1 + gutter);
        whole.paste(panel.picture, x, y);
        write_caption(&mut whole, panel, x as f64, y as f64);
    }
    Ok(whole)
}

/// Pictures of any sizes under each other, on white.
pub(super) fn stack(pictures: &[Picture]) -> Result<Picture, PictureError> {
    let width = pictures.iter().map(Picture::width).max().ok_or(PictureError::NoPanel)?;
    let mut whole = Picture::filled(width, pictures.iter().map(Picture::height).sum(), Rgb::WHITE)?;
    let mut y = 0;
    for picture in pictures {
        whole.paste(picture, 0, y);
        y += picture.height();
    }
    Ok(whole)
}

fn write_caption(picture: &mut Picture, panel: &Panel, x: f64, y: f64) {
    let size = (panel.picture.height() as f64 / 24.0).clamp(14.0, 44.0);
    let inset = size * 0.9;
    let title = Type { size, color: Rgb::INK };
    let note = Type { size: size * 0.72, color: Rgb::GRAY };
    draw_text(picture, panel.caption, x + inset, y + 1.6 * size, Anchor::Left, title);
    draw_text(picture, panel.note, x + inset, y + 2.65 * size, Anchor::Left, note);
}

/// Draws the legend of a colour map at the bottom of a picture: a bar from low to high with its numbers and a label.
pub fn color_bar(picture: &mut Picture, map: ColorMap, range: (f64, f64), label: &str) {
    let (width, height) = (picture.width(), picture.height());
    let size = (height as f64 / 36.0).clamp(11.0, 30.0);
    let (bar_width, bar_height) = (width * 3 / 10, (size * 0.62) as usize);
    let (left, top) = ((width - bar_width) / 2, height.saturating_sub((size * 2.2) as usize));
    for column in 0..bar_width {
        let color = map.at((column as f64 + 0.5) / bar_width as f64);
        picture.fill_rectangle(left + column, top, 1, bar_height, color);
    }
    let style = Type { size, color: Rgb::GRAY };
    let baseline = (top + bar_height) as f64 + size * 1.05;
    let (left, right) = (left as f64, (left + bar_width) as f64);
    let [low, high] = [range.0, range.1].map(super::plot::number);
    draw_text(picture, &low, left, baseline, Anchor::Left, style);
    draw_text(picture, &high, right, baseline, Anchor::Right, style);
    // Only if it fits between the two numbers.
    let free = right - left - text_width(&low, size) - text_width(&high, size) - size;
    let (x, y) = if text_width(label, size) < free {
        ((left + right) / 2.0, baseline)
    } else {
        ((left + right) / 2.0, top as f64 - size * 0.4)
    };
    draw_text(picture, label, x, y, Anchor::Middle, style);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panels_keep_their_pixels() {
        let a = Picture::filled(300, 200, Rgb::CLAY).unwrap();
        let b = Picture::filled(300, 200, Rgb::STEEL).unwrap();
        let panel = |picture| Panel { picture, caption: "", note: "" };
        let both = side_by_side(&[panel(&a), panel(&b)]).unwrap();
        assert_eq!((both.width(), both.height()), (602, 200));
        assert_eq!(both.pixel(10, 10), Rgb::CLAY);
        assert_eq!(both.pixel(301, 10), Rgb::WHITE);
        assert_eq!(both.pixel(599, 10), Rgb::STEEL);
        let three = grid(&[panel(&a), panel(&b), panel(&a)], 2).unwrap();
        assert_eq!((three.width(), three.height()), (602, 402));
    }

    #[test]
    fn unlike_panels_are_refused() {
        let a = Picture::filled(30, 20, Rgb::CLAY).unwrap();
        let b = Picture::filled(31, 20, Rgb::STEEL).unwrap();
        let panel = |picture| Panel { picture, caption: "a", note: "b" };
        let unlike = side_by_side(&[panel(&a), panel(&b)]);
        assert!(matches!(unlike, Err(PictureError::PanelSize { panel: 1, .. })));
        assert!(matches!(side_by_side(&[]), Err(PictureError::NoPanel)));
    }

    #[test]
    fn color_bar_fits_any_picture() {
        for (width, height) in [(1, 1), (40, 20), (600, 400)] {
            let mut picture = Picture::filled(width, height, Rgb::WHITE).unwrap();
            color_bar(&mut picture, ColorMap::Diverging, (-1.0, f64::NAN), "edge length error");
        }
    }
}
