// A pose graph of g2o's format in Ceres, for a side-by-side with isograd on one machine (`cargo bench --bench to_tolerance`).
//
//   g++ -O3 -march=native -std=c++17 -I/usr/include/eigen3 benches/peers/ceres_pose_graph.cpp -o ceres_pose_graph -lceres -lglog
//   gzip -dc graph.g2o.gz > graph.g2o; ./ceres_pose_graph graph.g2o THREADS OPTIMUM [REPEATS]
//
// Debian packages: libceres-dev libeigen3-dev libgoogle-glog-dev libopenblas0-serial. Run with
// LD_PRELOAD=/usr/lib/x86_64-linux-gnu/openblas-serial/libopenblas.so.0: else the BLAS of ATLAS, which comes with libceres-dev, is used,
// and CHOLMOD takes three times as long. The residuals are those of isograd's `PoseGraphProblem`: those of Ceres's
// own examples, whitened by the Cholesky factor of the information. Solved by sparse Cholesky to tolerances of 1e-12; prints the seconds
// from stating the problem until its cost is within 1e-3 and 1e-6 of the optimum, and until the end. Solves once, or REPEATS times in this
// process, of which the fastest is printed.
#include <ceres/ceres.h>

#include <Eigen/Cholesky>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

template <typename T>
T Wrapped(const T& angle) {
  const T turn(2.0 * M_PI);
  return angle - turn * ceres::floor((angle + T(M_PI)) / turn);
}

struct Between2 {
  Eigen::Vector3d measured;
  Eigen::Matrix3d whitening;
  template <typename T>
  bool operator()(const T* a, const T* b, T* residuals) const {
    const T c = ceres::cos(a[2]), s = ceres::sin(a[2]), dx = b[0] - a[0], dy = b[1] - a[1];
    Eigen::Matrix<T, 3, 1> r;
    r << c * dx + s * dy - measured[0], -s * dx + c * dy - measured[1], Wrapped(T(b[2] - a[2] - measured[2]));
    Eigen::Map<Eigen::Matrix<T, 3, 1>> out(residuals);
    out = whitening.template cast<T>() * r;
    return true;
  }
};

struct Between3 {
  Eigen::Vector3d translation;
  Eigen::Quaterniond rotation;
  Eigen::Matrix<double, 6, 6> whitening;
  template <typename T>
  bool operator()(const T* pa, const T* qa, const T* pb, const T* qb, T* residuals) const {
    const Eigen::Map<const Eigen::Matrix<T, 3, 1>> ta(pa), tb(pb);
    const Eigen::Map<const Eigen::Quaternion<T>> ra(qa), rb(qb);
    const Eigen::Quaternion<T> inverse = ra.conjugate();
    Eigen::Matrix<T, 6, 1> r;
    r.template head<3>() = inverse * (tb - ta) - translation.template cast<T>();
    const Eigen::Quaternion<T> delta = rotation.template cast<T>() * (inverse * rb).conjugate();
    const T sign(delta.w() < T(0.0) ? -2.0 : 2.0);
    r.template tail<3>() = sign * delta.vec();
    Eigen::Map<Eigen::Matrix<T, 6, 1>> out(residuals);
    out = whitening.template cast<T>() * r;
    return true;
  }
};

struct Pose {
  double t[3];
  Eigen::Quaterniond q;
};

struct Edge {
  int a, b;
  std::vector<double> measured;
  Eigen::MatrixXd whitening;
};

int main(int argc, char** argv) {
  if (argc < 4 || argc > 5) return std::fprintf(stderr, "usage: ceres_pose_graph FILE THREADS OPTIMUM [REPEATS]\n"), 1;
  std::ifstream file(argv[1]);
  if (!file) return std::perror(argv[1]), 1;
  std::map<int, Pose> poses;
  std::vector<Edge> edges;
  bool spatial = false;
  for (std::string line, tag; std::getline(file, line);) {
    std::istringstream words(line);
    if (!(words >> tag)) continue;
    if (tag == "VERTEX_SE2") {
      int id;
      Pose p;
      words >> id >> p.t[0] >> p.t[1] >> p.t[2];
      poses[id] = p;
    } else if (tag == "VERTEX_SE3:QUAT") {
      int id;
      Pose p;
      words >> id >> p.t[0] >> p.t[1] >> p.t[2] >> p.q.x() >> p.q.y() >> p.q.z() >> p.q.w();
      p.q.normalize();
      poses[id] = p;
    } else if (tag == "EDGE_SE2" || tag == "EDGE_SE3:QUAT") {
      spatial = tag != "EDGE_SE2";
      const int size = spatial ? 6 : 3;
      Edge edge;
      words >> edge.a >> edge.b;
      edge.measured.resize(spatial ? 7 : 3);
      for (double& number : edge.measured) words >> number;
      Eigen::MatrixXd information(size, size);
      for (int i = 0; i < size; ++i) {
        for (int j = i; j < size; ++j) {
          words >> information(i, j);
          information(j, i) = information(i, j);
        }
      }
      edge.whitening = information.llt().matrixL().transpose();
      edges.push_back(edge);
    }
  }
  if (poses.empty()) {
    // Dead reckoning along the first edge from each pose to the next.
    int last = 0, first = edges[0].a;
    std::map<int, const Edge*> next;
    for (const Edge& edge : edges) {
      first = std::min({first, edge.a, edge.b});
      last = std::max({last, edge.a, edge.b});
      if (edge.b == edge.a + 1) next.emplace(edge.a, &edge);
    }
    poses[first] = Pose{{0, 0, 0}, Eigen::Quaterniond::Identity()};
    for (int id = first; id < last; ++id) {
      const double* p = poses[id].t;
      const std::vector<double>& m = next.at(id)->measured;
      const double c = std::cos(p[2]), s = std::sin(p[2]);
      poses[id + 1] = Pose{{p[0] + c * m[0] - s * m[1], p[1] + s * m[0] + c * m[1], Wrapped(p[2] + m[2])}, {}};
    }
  }
  const std::map<int, Pose> beginning = poses;
  const int repeats = argc > 4 ? std::atoi(argv[4]) : 1;
  double best = INFINITY;
  char line[512];
  for (int repeat = 0; repeat < repeats; ++repeat) {
    poses = beginning;
    const auto start = std::chrono::steady_clock::now();
    ceres::Problem problem;
    auto* quaternions = new ceres::EigenQuaternionManifold;
    for (const Edge& edge : edges) {
      const std::vector<double>& m = edge.measured;
      Pose &a = poses.at(edge.a), &b = poses.at(edge.b);
      if (spatial) {
        const Eigen::Quaterniond q = Eigen::Quaterniond(m[6], m[3], m[4], m[5]).normalized();
        auto* between = new Between3{{m[0], m[1], m[2]}, q, edge.whitening};
        problem.AddResidualBlock(new ceres::AutoDiffCostFunction<Between3, 6, 3, 4, 3, 4>(between), nullptr, a.t,
                                 a.q.coeffs().data(), b.t, b.q.coeffs().data());
      } else {
        auto* between = new Between2{{m[0], m[1], m[2]}, edge.whitening};
        problem.AddResidualBlock(new ceres::AutoDiffCostFunction<Between2, 3, 3, 3>(between), nullptr, a.t, b.t);
      }
    }
    Pose& first = poses.begin()->second;
    problem.SetParameterBlockConstant(first.t);
    if (spatial) {
      for (auto& [id, pose] : poses) {
        if (problem.HasParameterBlock(pose.q.coeffs().data())) problem.SetManifold(pose.q.coeffs().data(), quaternions);
      }
      problem.SetParameterBlockConstant(first.q.coeffs().data());
    }
    ceres::Solver::Options options;
    options.linear_solver_type = ceres::SPARSE_NORMAL_CHOLESKY;
    options.num_threads = std::atoi(argv[2]);
    options.max_num_iterations = 200;
    options.function_tolerance = options.gradient_tolerance = options.parameter_tolerance = 1e-12;
    options.logging_type = ceres::SILENT;
    const auto stated = std::chrono::steady_clock::now();
    ceres::Solver::Summary summary;
    ceres::Solve(options, &problem, &summary);
    const double stating = std::chrono::duration<double>(stated - start).count();
    const double optimum = std::atof(argv[3]);
    const auto reached = [&](double tolerance) {
      for (const auto& iteration : summary.iterations) {
        if (iteration.cost <= optimum * (1.0 + tolerance)) return stating + iteration.cumulative_time_in_seconds;
      }
      return std::nan("");
    };
    const double whole = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (whole >= best) continue;
    best = whole;
    std::snprintf(line, sizeof line, "ceres %s: 1e-3 %.3f ms, 1e-6 %.3f ms, whole %.3f ms, %d iterations, cost %.9g\n", argv[1], 1e3 * reached(1e-3),
                1e3 * reached(1e-6), 1e3 * whole, int(summary.iterations.size()) - 1, summary.final_cost);
  }
  std::fputs(line, stdout);
}
