//! Antialiased text in the embedded font (DejaVu Sans), so that no picture depends on installed fonts.

use std::sync::LazyLock;

use ab_glyph::{Font, FontRef, Glyph, ScaleFont, point};

use super::{Picture, Rgb};

/// None cannot happen with the embedded font; text is then simply left out.
static FONT: LazyLock<Option<FontRef<'static>>> =
    LazyLock::new(|| FontRef::try_from_slice(dejavu::sans::regular()).ok());

/// Which point of the text the given position is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    Left,
    Middle,
    Right,
}

/// Size and colour of text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Type {
    /// Height of a line, in pixels.
    pub size: f64,
    pub color: Rgb,
}

/// Width of a line of text, in pixels.
pub(super) fn text_width(text: &str, size: f64) -> f64 {
    layout(text, size).1
}

/// Draws one line with its baseline at `y`.
pub(super) fn draw_text(picture: &mut Picture, text: &str, x: f64, y: f64, anchor: Anchor, style: Type) {
    let Some(font) = FONT.as_ref() else { return };
    let (glyphs, width) = layout(text, style.size);
    let left = match anchor {
        Anchor::Left => x,
        Anchor::Middle => x - width / 2.0,
        Anchor::Right => x - width,
    };
    for mut glyph in glyphs {
        glyph.position.x += left as f32;
        // A whole baseline keeps horizontal strokes crisp.
        glyph.position.y = y.round() as f32;
        let Some(outline) = font.outline_glyph(glyph) else {
            continue;
        };
        let corner = outline.px_bounds().min;
        outline.draw(|dx, dy, coverage| {
            let (px, py) = (corner.x as i64 + i64::from(dx), corner.y as i64 + i64::from(dy));
            picture.blend(px, py, style.color, f64::from(coverage));
        });
    }
}

/// Glyphs set from the origin, and the width they take.
fn layout(text: &str, size: f64) -> (Vec<Glyph>, f64) {
    let Some(font) = FONT.as_ref() else {
        return (Vec::new(), 0.0);
    };
    let font = font.as_scaled(size as f32);
    let mut glyphs: Vec<Glyph> = Vec::new();
    let mut x = 0.0;
    for character in text.chars() {
        let id = font.glyph_id(character);
        if let Some(previous) = glyphs.last() {
            x += font.kern(previous.id, id);
        }
        glyphs.push(id.with_scale_and_position(font.scale(), point(x, 0.0)));
        x += font.h_advance(id);
    }
    (glyphs, f64::from(x))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_drawn_where_it_is_anchored() {
        let style = Type { size: 16.0, color: Rgb::INK };
        let ink = |anchor| {
            let mut picture = Picture::filled(200, 30, Rgb::WHITE).unwrap();
            draw_text(&mut picture, "10⁻³ cost", 100.0, 20.0, anchor, style);
            let dark = |x: &usize| (0..30).any(|y| picture.pixel(*x, y) != Rgb::WHITE);
            let columns: Vec<usize> = (0..200).filter(dark).collect();
            (columns[0], columns[columns.len() - 1])
        };
        assert!(ink(Anchor::Left).0 >= 99);
        assert!(ink(Anchor::Right).1 <= 101);
        assert!(text_width("mm", 16.0) > text_width("ii", 16.0));
    }
}
