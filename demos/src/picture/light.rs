//! The lights, and the colour of a lit surface.
//!
//! A studio rig that stands with the camera: a warm key light from the upper left, a cool fill from the right, a rim
//! light from behind, and an ambient hemisphere along the world's up axis. All of it is summed in linear light.

use super::Camera;
use super::vector::{Vector, add, direction, dot, mix, scale, subtract};

const KEY: Vector = [1.30, 1.24, 1.15];
const FILL: Vector = [0.135, 0.155, 0.185];
const RIM: Vector = [0.62, 0.65, 0.69];
const SKY: Vector = [0.275, 0.295, 0.325];
const EARTH: Vector = [0.130, 0.125, 0.122];
const SPECULAR: f64 = 0.16;
const GLOSS: i32 = 28;

/// The rig, in world directions.
pub(super) struct Lights {
    eye: Vector,
    zenith: Vector,
    key: Vector,
    fill: Vector,
    rim: Vector,
}

impl Lights {
    pub fn at(camera: &Camera) -> Self {
        let from = |right: f64, up: f64, backward: f64| {
            let sideways = add(scale(camera.right, right), scale(camera.up, up));
            direction(add(sideways, scale(camera.backward, backward))).unwrap_or(camera.backward)
        };
        Self {
            eye: camera.eye,
            zenith: camera.zenith,
            key: from(-0.62, 0.70, 0.52),
            fill: from(0.90, -0.05, 0.45),
            rim: from(0.45, 0.55, -0.75),
        }
    }

    /// Linear-light colour of a point with the given colour. Both sides of the surface are lit alike.
    pub fn shade(&self, color: Vector, point: Vector, facet_normal: Vector, normal: Vector) -> Vector {
        let to_eye = direction(subtract(self.eye, point)).unwrap_or(self.zenith);
        let side = if dot(facet_normal, to_eye) < 0.0 { -1.0 } else { 1.0 };
        let normal = facing(scale(normal, side), to_eye);

        let hemisphere = mix(EARTH, SKY, 0.5 + 0.5 * dot(normal, self.zenith));
        // The key wraps a little round the terminator, as a large soft box does.
        let key = wrapped(dot(normal, self.key), 0.25);
        let fill = wrapped(dot(normal, self.fill), 0.4);
        let grazing = (1.0 - dot(normal, to_eye).max(0.0)).powi(3);
        let rim = grazing * (dot(normal, self.rim) + 0.35).max(0.0);
        let halfway = direction(add(self.key, to_eye)).unwrap_or(to_eye);
        let gloss = SPECULAR * dot(normal, halfway).max(0.0).powi(GLOSS);

        std::array::from_fn(|k| {
            let diffuse = hemisphere[k] + KEY[k] * key * 0.78 + FILL[k] * fill;
            // Most of the rim light takes the surface's colour, or dark surfaces would look frosted.
            let edge = RIM[k] * rim * (0.12 + 0.55 * color[k]);
            shoulder(color[k] * diffuse + edge + KEY[k] * gloss)
        })
    }
}

/// The normal, bent until it does not face away: interpolated normals do so near a silhouette.
fn facing(normal: Vector, to_eye: Vector) -> Vector {
    let away = dot(normal, to_eye);
    if away >= 0.0 {
        return normal;
    }
    direction(subtract(normal, scale(to_eye, away))).unwrap_or(to_eye)
}

/// Lambert's cosine, extended past the terminator by `wrap` and squared there so that no edge is seen.
fn wrapped(cosine: f64, wrap: f64) -> f64 {
    let lit = ((cosine + wrap) / (1.0 + wrap)).max(0.0);
    lit * (0.5 + 0.5 * lit).min(2.0 * lit)
}

/// Compresses what is brighter than 0.7 so that highlights keep their colour instead of clipping.
fn shoulder(x: f64) -> f64 {
    const KNEE: f64 = 0.7;
    if x <= KNEE {
        return x;
    }
    let room = 1.0 - KNEE;
    KNEE + room * (1.0 - (-(x - KNEE) / room).exp())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::View;

    #[test]
    fn both_sides_look_alike_and_stay_in_range() {
        let camera = Camera::framing(&[&[[-1.0; 3], [1.0; 3]]], View::default()).unwrap();
        let lights = Lights::at(&camera);
        for normal in [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.6, -0.8, 0.0]] {
            let lit = |side| {
                let n = scale(normal, side);
                lights.shade([1.0; 3], [0.0; 3], n, n)
            };
            assert_eq!(lit(1.0), lit(-1.0));
            assert!(lit(1.0).iter().all(|c| (0.0..=1.0).contains(c)));
        }
    }
}
