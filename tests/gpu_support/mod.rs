//! Runs tests that need a device.
//!
//! Where there is none they report themselves as ignored, with the reason; with `ISOGRAD_REQUIRE_GPU=1` they fail.

use isograd::backend::gpu::GpuContext;
use libtest_mimic::{Arguments, Trial};

/// A test by name.
pub type Test = (&'static str, fn(&GpuContext));

/// Runs the tests as `cargo test` expects, all on the shared context.
pub fn main(tests: Vec<Test>) {
    let arguments = Arguments::from_args();
    let required = std::env::var("ISOGRAD_REQUIRE_GPU").as_deref() == Ok("1");
    let context = GpuContext::shared();
    match &context {
        Ok(context) => eprintln!("GPU tests on {} ({:?})", context.info().name, context.info().backend),
        Err(error) if required => eprintln!("GPU tests fail: {error}"),
        Err(error) => eprintln!("GPU tests are ignored: {error}"),
    }
    let trials = tests
        .into_iter()
        .map(|(name, test)| match context.clone() {
            Ok(context) => Trial::test(name, move || {
                test(&context);
                Ok(())
            }),
            Err(error) if required => Trial::test(name, move || Err(error.to_string().into())),
            Err(_) => Trial::test(name, || Ok(())).with_kind("no GPU").with_ignored_flag(true),
        })
        .collect();
    libtest_mimic::run(&arguments, trials).exit();
}
