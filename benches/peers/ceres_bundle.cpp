// A bundle adjustment of BAL's format in Ceres, for a side-by-side with isograd on one machine.
//
//   g++ -O3 -march=native -std=c++17 -I/usr/include/eigen3 benches/peers/ceres_bundle.cpp -o ceres_bundle -lceres -lglog
//   gzip -dc problem.txt.gz > problem.txt; ./ceres_bundle problem.txt THREADS OPTIMUM [sparse] [huber] [REPEATS]
//
// Debian packages: libceres-dev libeigen3-dev libgoogle-glog-dev libopenblas0-serial. Run with
// LD_PRELOAD=/usr/lib/x86_64-linux-gnu/openblas-serial/libopenblas.so.0: else the BLAS of ATLAS, which comes with libceres-dev, is used,
// and CHOLMOD takes three times as long. Solved to tolerances of 1e-12; prints the time from stating the problem
// until its cost is within 1e-3 and 1e-6 of the optimum, that of the whole, and Ceres's own of residuals, Jacobians and linear solves. Solves
// once, or REPEATS times in this process, of which the fastest is printed.
// isograd's side is `cargo bench --bench to_tolerance`.
#include <ceres/ceres.h>
#include <ceres/rotation.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

struct Reprojection {
  double x, y;
  template <typename T>
  bool operator()(const T* camera, const T* point, T* r) const {
    T p[3];
    ceres::AngleAxisRotatePoint(camera, point, p);
    p[0] += camera[3];
    p[1] += camera[4];
    p[2] += camera[5];
    const T u = -p[0] / p[2], v = -p[1] / p[2];
    const T n = u * u + v * v;
    const T scale = camera[6] * (1.0 + n * (camera[7] + camera[8] * n));
    r[0] = scale * u - x;
    r[1] = scale * v - y;
    return true;
  }
};

int main(int argc, char** argv) {
  if (argc < 4) return std::fprintf(stderr, "usage: ceres_bundle FILE THREADS OPTIMUM [sparse] [huber] [REPEATS]\n"), 1;
  std::FILE* file = std::fopen(argv[1], "r");
  if (!file) return std::perror(argv[1]), 1;
  int cameras, points, observations;
  if (std::fscanf(file, "%d %d %d", &cameras, &points, &observations) != 3) return 1;
  std::vector<int> camera(observations), point(observations);
  std::vector<double> pixels(2 * observations), x(9 * cameras + 3 * points);
  for (int k = 0; k < observations; ++k) {
    if (std::fscanf(file, "%d %d %lf %lf", &camera[k], &point[k], &pixels[2 * k], &pixels[2 * k + 1]) != 4) return 1;
  }
  for (double& number : x) {
    if (std::fscanf(file, "%lf", &number) != 1) return 1;
  }
  bool sparse = false, huber = false;
  int repeats = 1;
  for (int k = 4; k < argc; ++k) {
    sparse |= !std::strcmp(argv[k], "sparse");
    huber |= !std::strcmp(argv[k], "huber");
    if (const int number = std::atoi(argv[k])) repeats = number;
  }
  const std::vector<double> beginning = x;
  double best = INFINITY;
  char line[512];
  for (int repeat = 0; repeat < repeats; ++repeat) {
    x = beginning;
    const auto start = std::chrono::steady_clock::now();
    ceres::Problem problem;
    for (int k = 0; k < observations; ++k) {
      auto* cost = new ceres::AutoDiffCostFunction<Reprojection, 2, 9, 3>(
          new Reprojection{pixels[2 * k], pixels[2 * k + 1]});
      problem.AddResidualBlock(cost, huber ? new ceres::HuberLoss(1.0) : nullptr, &x[9 * camera[k]],
                               &x[9 * cameras + 3 * point[k]]);
    }
    ceres::Solver::Options options;
    options.linear_solver_type = sparse ? ceres::SPARSE_SCHUR : ceres::DENSE_SCHUR;
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
    std::snprintf(line, sizeof line, "ceres %s: 1e-3 %.3f ms, 1e-6 %.3f ms, whole %.3f ms (residuals %.1f, jacobians %.1f, linear %.1f), %d iterations, cost %.9g\n",
                argv[1], 1e3 * reached(1e-3), 1e3 * reached(1e-6), 1e3 * whole,
                1e3 * summary.residual_evaluation_time_in_seconds, 1e3 * summary.jacobian_evaluation_time_in_seconds,
                1e3 * summary.linear_solver_time_in_seconds, int(summary.iterations.size()) - 1, summary.final_cost);
  }
  std::fputs(line, stdout);
}
