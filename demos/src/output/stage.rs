//! Size and view of mesh pictures.

use crate::picture::{Camera, PictureError, View};

/// Width and height of a picture.
pub const PICTURE_SIZE: (usize, usize) = (1200, 1100);
/// A little from above, with y up as most mesh files are meant.
const VIEW: View = View { azimuth: 0.0, elevation: 16.0, up: [0.0, 1.0, 0.0], field_of_view: 28.0, margin: 1.2 };
/// How far the mesh reaches to the side and up: words stand above and below.
const REACH: [f64; 2] = [0.98, 0.72];

/// The camera that shows all the points, from an azimuth as on the command line.
///
/// # Errors
/// If no point is finite.
pub fn camera(point_sets: &[&[[f64; 3]]], azimuth: f64) -> Result<Camera, PictureError> {
    // `View` counts from x, the command line from z.
    let view = View { azimuth: azimuth - 90.0, ..VIEW };
    Ok(Camera::framing(point_sets, view)?.fill(point_sets, REACH))
}
