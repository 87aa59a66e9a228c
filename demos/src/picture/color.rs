//! Colours, and colour maps from scalars to colours.

/// An sRGB colour, 8 bits a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rgb(pub [u8; 3]);

impl Rgb {
    /// White.
    pub const WHITE: Self = Self([255, 255, 255]);
    /// Nearly black; used for text and lines.
    pub const INK: Self = Self([33, 37, 43]);
    /// Quiet grey for notes and tick labels.
    pub const GRAY: Self = Self([98, 106, 117]);
    /// The surface's default colour: a light steel blue.
    pub const STEEL: Self = Self([150, 178, 208]);
    /// A warm clay, the usual partner of [`Rgb::STEEL`].
    pub const CLAY: Self = Self([216, 164, 132]);
    /// Signal colour for highlighted edges.
    pub const VERMILION: Self = Self([213, 62, 30]);

    /// Linear-light channels in 0..=1; light adds up in this space, not in sRGB.
    pub(super) fn to_linear(self) -> [f64; 3] {
        self.0.map(|channel| {
            let c = f64::from(channel) / 255.0;
            if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
        })
    }

    /// Inverse of [`Rgb::to_linear`]; values outside 0..=1 are clipped.
    pub(super) fn from_linear(linear: [f64; 3]) -> Self {
        Self(linear.map(|x| {
            let x = x.clamp(0.0, 1.0);
            let c = if x <= 0.003_130_8 { 12.92 * x } else { 1.055 * x.powf(1.0 / 2.4) - 0.055 };
            (c * 255.0).round() as u8
        }))
    }
}

/// A map from a scalar in an interval to a colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColorMap {
    /// Blue, white, red: for signed quantities, with white in the middle.
    Diverging,
    /// Viridis: perceptually even, dark to bright, for magnitudes.
    Sequential,
}

impl ColorMap {
    /// Colour at `t`, where 0 is the low end and 1 the high end. Outside values are clipped; NaN is grey.
    pub fn at(self, t: f64) -> Rgb {
        if t.is_nan() {
            return Rgb([160, 160, 160]);
        }
        let t = t.clamp(0.0, 1.0);
        let color = match self {
            // Colorous runs red to blue.
            Self::Diverging => colorous::RED_BLUE.eval_continuous(1.0 - t),
            Self::Sequential => colorous::VIRIDIS.eval_continuous(t),
        };
        Rgb([color.r, color.g, color.b])
    }

    /// One colour for each value, with `range` spread over the map.
    ///
    /// An empty interval (all values alike) maps to the middle of the map.
    pub fn map(self, values: &[f64], range: (f64, f64)) -> Vec<Rgb> {
        let (low, high) = range;
        let width = high - low;
        let position = |value: f64| {
            if width > 0.0 { (value - low) / width } else { 0.5 }
        };
        values.iter().map(|&value| self.at(if value.is_nan() { value } else { position(value) })).collect()
    }

    /// The interval that suits this map: symmetric about zero if diverging, else smallest to largest finite value.
    pub fn range_of(self, values: &[f64]) -> (f64, f64) {
        let finite = values.iter().copied().filter(|v| v.is_finite());
        let (low, high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
        match self {
            _ if low > high => (0.0, 0.0),
            Self::Diverging => {
                let bound = low.abs().max(high.abs());
                (-bound, bound)
            }
            Self::Sequential => (low, high),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_channel_value_survives_linear_light() {
        for c in 0..=255u8 {
            let color = Rgb([c, 255 - c, 7]);
            assert_eq!(Rgb::from_linear(color.to_linear()), color);
        }
    }

    #[test]
    fn diverging_runs_blue_white_red() {
        let [low, middle, high] = [0.0, 0.5, 1.0].map(|t| ColorMap::Diverging.at(t).0);
        assert!(low[2] > low[0] && high[0] > high[2]);
        assert!(middle.iter().all(|&c| c > 235));
    }

    #[test]
    fn awkward_scalars_have_colors() {
        let values = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, 2.0];
        for map in [ColorMap::Diverging, ColorMap::Sequential] {
            let range = map.range_of(&values);
            assert_eq!(map.map(&values, range).len(), values.len());
            assert_eq!(map.range_of(&[f64::NAN]), (0.0, 0.0));
        }
        assert_eq!(ColorMap::Sequential.map(&[3.0], (3.0, 3.0))[0], ColorMap::Sequential.at(0.5));
    }
}
