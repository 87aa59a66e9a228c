//! Files: meshes, bundle adjustment problems, pose graphs and regression problems; bytes in, a checked problem out, and back.
//!
//! In: a path (`read_mesh`, [`read_bal`], [`read_g2o`], [`read_nist`]), a stream (`read_bal_from` and so on) or bytes in memory
//! (`parse_mesh` and so on; a browser has no paths); each may be gzipped, except in a browser, which unpacks itself. Out: the numbers as they are in the file in full double
//! precision, or a [`ReadError`] that says where in the file the trouble is and what to do. No input makes a reader panic, and no
//! count in a file makes it reserve more than the file can hold.
//!
//! | file or folder | what |
//! | --- | --- |
//! | `mesh/` | OBJ, PLY and OFF: triangle and polygon meshes |
//! | `bal/` | bundle adjustment in the large, and made-up problems of that kind |
//! | `g2o/` | pose graphs in the plane and in space |
//! | `nist/` | nonlinear regression problems with certified answers |
//! | `gzip.rs` | bytes of a file, unpacked and packed |
//! | `text.rs` | lines, words and numbers of the text formats |
//! | `read_error.rs`, `write_error.rs` | why a file could not be read or written |

mod bal;
mod g2o;
mod gzip;
mod mesh;
mod nist;
mod read_error;
mod text;
mod write_error;

#[cfg(test)]
mod tests;

pub use bal::{
    BalProblem, Observation, SyntheticBalError, parse_bal, read_bal, read_bal_from, write_bal, write_bal_to,
};
pub use g2o::{
    Edge, PoseGraph, PoseGraph2, PoseGraph3, PoseGraphError, Poses, parse_g2o, read_g2o, read_g2o_from, write_g2o,
    write_g2o_to,
};
pub use mesh::{MeshFormat, PlyEncoding, parse_mesh, read_mesh, write_obj, write_obj_to, write_ply, write_ply_to};
pub use nist::{NistLevel, NistParameter, NistProblem, parse_nist, read_nist, read_nist_from};
pub use read_error::{FilePosition, ReadError};
pub use write_error::WriteError;
