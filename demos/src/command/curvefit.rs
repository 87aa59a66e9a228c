//! `curvefit`: the curve of a file, or of each file of a folder.

use crate::cli::CurveFit;
use crate::collection;
use crate::curvefit::{Task, fit};
use crate::output::{Names, file_and_stem};
use isograd::io::read_nist;

pub(super) fn run(arguments: &CurveFit) -> anyhow::Result<()> {
    let CurveFit { file, start, solver, files } = arguments;
    let suffix = start.map_or(String::new(), |start| format!("#start{start}"));
    let starts = start.map_or(vec![0, 1], |start| vec![usize::from(start) - 1]);
    collection::solve("curvefit", file, files, |path, files, console| {
        let data = read_nist(path)?;
        let (file, stem) = file_and_stem(path);
        let names = Names {
            demo: "curvefit",
            problem: format!("nist/{file}{suffix}"),
            folder: format!("curvefit-{stem}{}", suffix.replace('#', "-")),
            title: data.name.clone(),
        };
        fit(Task { names, data, starts: starts.clone() }, solver, files, console)
    })
}
