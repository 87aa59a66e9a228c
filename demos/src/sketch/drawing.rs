//! Points, lines and circles, and the constraints between them. Each constraint is one residual, in units of length, or the sine
//! or cosine of an angle.

use isograd::{BlockId, Problem, ProblemError, Value};

/// Two points.
pub(super) type Line = [BlockId; 2];

/// A centre and a radius.
#[derive(Debug, Clone, Copy)]
pub(super) struct Circle {
    pub center: BlockId,
    pub radius: BlockId,
}

/// A drawing with its constraints.
pub(super) struct Drawing {
    pub problem: Problem,
    /// Of the constraints, in the order of their residuals.
    pub names: Vec<String>,
    points: Vec<(char, BlockId)>,
    lines: Vec<Line>,
    circles: Vec<Circle>,
    /// From a point to another about the centre of a circle, the short way.
    arcs: Vec<(Circle, Line)>,
    /// Lengths that are written at their lines, and which constraint it is.
    dimensions: Vec<(Line, usize)>,
}

/// A drawing as it is at present.
pub(super) struct Shape {
    /// Name, place, and where its coordinates are among the parameters.
    pub points: Vec<(char, [f64; 2], usize)>,
    pub lines: Vec<[[f64; 2]; 2]>,
    /// Centre, radius.
    pub circles: Vec<([f64; 2], f64)>,
    /// Centre, and the two ends.
    pub arcs: Vec<([f64; 2], [[f64; 2]; 2])>,
    /// The two ends, and the constraint.
    pub dimensions: Vec<([[f64; 2]; 2], usize)>,
}

type Added = Result<(), ProblemError>;

impl Drawing {
    pub fn new() -> Self {
        Drawing {
            problem: Problem::new(),
            names: Vec::new(),
            points: Vec::new(),
            lines: Vec::new(),
            circles: Vec::new(),
            arcs: Vec::new(),
            dimensions: Vec::new(),
        }
    }

    pub fn point(&mut self, name: char, x: f64, y: f64) -> Result<BlockId, ProblemError> {
        let point = self.problem.add_parameter_block(&[x, y])?;
        self.points.push((name, point));
        Ok(point)
    }

    pub fn pinned(&mut self, name: char, x: f64, y: f64) -> Result<BlockId, ProblemError> {
        let point = self.point(name, x, y)?;
        self.problem.fix(point)?;
        Ok(point)
    }

    pub fn line(&mut self, from: BlockId, to: BlockId) -> Line {
        self.lines.push([from, to]);
        [from, to]
    }

    pub fn circle(&mut self, center: BlockId, radius: f64) -> Result<Circle, ProblemError> {
        let circle = Circle { center, radius: self.problem.add_parameter_block(&[radius])? };
        self.circles.push(circle);
        Ok(circle)
    }

    /// A piece of a circle, which is drawn instead of the whole.
    pub fn arc(&mut self, center: BlockId, radius: f64, ends: Line) -> Result<Circle, ProblemError> {
        let circle = Circle { center, radius: self.problem.add_parameter_block(&[radius])? };
        self.arcs.push((circle, ends));
        Ok(circle)
    }

    /// Adds a constraint. The residual sees the blocks in the order given, also where one stands there twice.
    fn require(
        &mut self,
        name: impl Into<String>,
        blocks: &[BlockId],
        residual: impl FnOnce(&[Vec<Value>]) -> Value,
    ) -> Added {
        let mut distinct: Vec<BlockId> = Vec::new();
        blocks.iter().for_each(|block| {
            if !distinct.contains(block) {
                distinct.push(*block);
            }
        });
        let places: Vec<usize> =
            blocks.iter().map(|block| distinct.iter().position(|other| other == block).unwrap_or(0)).collect();
        let added = self.problem.add_residual(&distinct, |x| {
            let values: Vec<Vec<Value>> = places.iter().map(|&place| x[place].to_vec()).collect();
            residual(&values)
        });
        added?;
        self.names.push(name.into());
        Ok(())
    }

    pub fn horizontal(&mut self, name: &str, line: Line) -> Added {
        self.require(format!("{name} horizontal"), &line, |x| x[1][1] - x[0][1])
    }

    pub fn length(&mut self, name: &str, line: Line, target: f64) -> Added {
        self.dimensions.push((line, self.names.len()));
        self.require(format!("{name} = {target}"), &line, |x| length(along(x, 0)) - target)
    }

    pub fn equal_length(&mut self, name: &str, a: Line, b: Line) -> Added {
        self.require(format!("{name} equal"), &[a, b].concat(), |x| length(along(x, 0)) - length(along(x, 2)))
    }

    pub fn parallel(&mut self, name: &str, a: Line, b: Line) -> Added {
        self.require(format!("{name} parallel"), &[a, b].concat(), |x| cross(unit(along(x, 0)), unit(along(x, 2))))
    }

    pub fn perpendicular(&mut self, name: &str, a: Line, b: Line) -> Added {
        self.require(format!("{name} perpendicular"), &[a, b].concat(), |x| dot(unit(along(x, 0)), unit(along(x, 2))))
    }

    pub fn point_on_line(&mut self, name: &str, point: BlockId, [a, b]: Line) -> Added {
        self.require(format!("{name} on line"), &[a, b, a, point], |x| cross(unit(along(x, 0)), along(x, 2)))
    }

    pub fn point_on_circle(&mut self, name: &str, point: BlockId, circle: Circle) -> Added {
        let blocks = [circle.center, point, circle.radius];
        self.require(format!("{name} on circle"), &blocks, |x| length(along(x, 0)) - x[2][0])
    }

    /// The line touches the circle at its own end, where the two also meet: there it is square to the radius.
    pub fn tangent_at(&mut self, name: &str, line: Line, circle: Circle, at: BlockId) -> Added {
        let blocks = [line[0], line[1], circle.center, at];
        self.require(format!("{name} tangent"), &blocks, |x| dot(unit(along(x, 0)), unit(along(x, 2))))
    }

    /// The line touches the circle anywhere.
    pub fn tangent(&mut self, name: &str, [a, b]: Line, circle: Circle) -> Added {
        let blocks = [a, b, a, circle.center, circle.radius];
        self.require(format!("{name} tangent"), &blocks, |x| cross(unit(along(x, 0)), along(x, 2)).abs() - x[4][0])
    }

    pub fn radius(&mut self, name: &str, circle: Circle, target: f64) -> Added {
        self.require(format!("{name} = {target}"), &[circle.radius], |x| x[0][0] - target)
    }

    pub fn equal_radius(&mut self, name: &str, a: Circle, b: Circle) -> Added {
        self.require(format!("{name} equal"), &[a.radius, b.radius], |x| x[0][0] - x[1][0])
    }

    /// All points and radii.
    pub fn blocks(&self) -> Vec<BlockId> {
        let radii = self.circles.iter().chain(self.arcs.iter().map(|(circle, _)| circle)).map(|circle| circle.radius);
        self.points.iter().map(|&(_, point)| point).chain(radii).collect()
    }

    /// Where everything is.
    pub fn shape(&self) -> Shape {
        let numbers = |block: BlockId| self.problem.parameter_block(block);
        let at = |block: BlockId| [numbers(block)[0], numbers(block)[1]];
        let offset = |block: BlockId| self.problem.parameters().offsets()[block.index()] as usize;
        Shape {
            points: self.points.iter().map(|&(name, block)| (name, at(block), offset(block))).collect(),
            lines: self.lines.iter().map(|line| line.map(at)).collect(),
            circles: self.circles.iter().map(|c| (at(c.center), numbers(c.radius)[0])).collect(),
            arcs: self.arcs.iter().map(|(c, ends)| (at(c.center), ends.map(at))).collect(),
            dimensions: self.dimensions.iter().map(|&(line, constraint)| (line.map(at), constraint)).collect(),
        }
    }
}

/// From point `k` to the next.
fn along(x: &[Vec<Value>], k: usize) -> [Value; 2] {
    [x[k + 1][0] - x[k][0], x[k + 1][1] - x[k][1]]
}

fn length([x, y]: [Value; 2]) -> Value {
    (x * x + y * y).sqrt()
}

fn unit(d: [Value; 2]) -> [Value; 2] {
    let size = length(d);
    [d[0] / size, d[1] / size]
}

fn cross([ax, ay]: [Value; 2], [bx, by]: [Value; 2]) -> Value {
    ax * by - ay * bx
}

fn dot([ax, ay]: [Value; 2], [bx, by]: [Value; 2]) -> Value {
    ax * bx + ay * by
}
