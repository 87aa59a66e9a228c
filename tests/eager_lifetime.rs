//! How long values live, what a stale or foreign one does, and that size is no obstacle.

use isograd::Value;
use isograd::value::ValueError;

/// The message `f` panics with.
fn panic_message(f: impl FnOnce() + std::panic::UnwindSafe) -> String {
    let payload = std::panic::catch_unwind(f).expect_err("should have panicked");
    let message = payload.downcast_ref::<String>().cloned();
    message.or_else(|| payload.downcast_ref::<&str>().map(|text| text.to_string())).expect("a text")
}

const CLEARED: &str = "Value used after its graph was cleared";
const OTHER_THREAD: &str = "Value used on another thread than the one that made it";

#[test]
fn a_hundred_steps_differentiate() {
    let x = Value::variable(1.0);
    let (mut sum, mut product) = (x, x);
    for _ in 0..100 {
        sum += x;
        product *= 1.01;
    }
    sum.backward();
    assert_eq!(x.grad(), 101.0);
    let grad = product.gradient(&[x]).unwrap()[0];
    assert!((grad - 1.01_f64.powi(100)).abs() < 1e-12);
}

/// A chain of a million nodes on a stack of 64 KiB: nothing walks the graph by recursion.
#[test]
fn a_million_steps_need_no_stack() {
    let work = || {
        let x = Value::variable(1.0);
        let y = (0..1_000_000).fold(x, |y, _| y + x);
        y.backward();
        assert_eq!((y.primal(), x.grad()), (1_000_001.0, 1_000_001.0));
        assert_eq!(y.check(), Ok(1_000_001.0));
        assert_eq!(y.gradient(&[x]).unwrap(), [1_000_001.0]);
    };
    std::thread::Builder::new().stack_size(64 * 1024).spawn(work).unwrap().join().unwrap();
}

/// Twenty-eight doublings of one value: as text the expression would have 2²⁸ leaves.
#[test]
fn sharing_costs_nothing() {
    let x = Value::variable(1.0);
    let y = (0..28).fold(x, |y, _| y * y);
    assert_eq!(y.gradient(&[x]).unwrap(), [f64::from(1 << 28)]);
    assert_eq!(y.to_text().unwrap().lines().count(), 30);
}

#[test]
fn a_scope_frees_its_nodes() {
    let kept = Value::variable(2.0);
    let before = Value::live_nodes();
    for round in 0..100_000 {
        let x = f64::from(round);
        let grad = Value::scope(|| {
            let x = Value::variable(x);
            let y = x * x * kept;
            y.backward();
            x.grad()
        });
        assert_eq!(grad, 4.0 * x);
        assert_eq!(Value::live_nodes(), before);
    }
    assert_eq!((kept * kept).primal(), 4.0);
}

#[test]
fn scopes_nest_and_end_with_a_panic() {
    let before = Value::live_nodes();
    Value::scope(|| {
        let x = Value::variable(3.0);
        let inner = Value::scope(|| (x * x).primal());
        assert_eq!(inner, 9.0);
        assert_eq!(Value::live_nodes(), before + 1);
        assert_eq!(x.primal(), 3.0);
    });
    panic_message(|| {
        Value::scope(|| {
            let _x = Value::variable(1.0);
            panic!("inside a scope")
        })
    });
    assert_eq!(Value::live_nodes(), before);
}

#[test]
fn clearing_inside_a_scope_is_harmless() {
    let _outer = [Value::variable(1.0), Value::variable(2.0)];
    Value::scope(|| {
        let _inner = Value::variable(3.0);
        Value::clear_graph();
        assert_eq!(Value::live_nodes(), 0);
    });
    assert_eq!(Value::variable(4.0).primal(), 4.0);
}

#[test]
fn a_stale_value_is_recognised() {
    let stale = Value::scope(|| Value::variable(1.0));
    let successor = Value::variable(2.0);
    successor.backward();

    let uses: [fn(Value); 8] = [
        |v| _ = v.primal(),
        |v| _ = v + 1.0,
        |v| _ = v.sin(),
        |v| _ = v < 1.0,
        |v| v.backward(),
        |v| _ = v.grad(),
        |v| _ = v.detach(),
        |v| _ = Value::select(Value::ONE, 2.0, v),
    ];
    for (k, use_it) in uses.into_iter().enumerate() {
        let message = panic_message(move || use_it(stale));
        assert!(message.starts_with(CLEARED), "use {k}: {message}");
    }

    assert_eq!(stale.gradient(&[]), Err(ValueError::Cleared));
    assert_eq!(successor.gradient(&[stale]), Err(ValueError::Cleared));
    assert_eq!(stale.check(), Err(ValueError::Cleared));
    assert_eq!(stale.to_text(), Err(ValueError::Cleared));
    assert_eq!(stale.to_dot(), Err(ValueError::Cleared));
    assert_eq!(format!("{stale:?}"), "Value(cleared)");
    assert_eq!(successor.primal(), 2.0, "the graph works on after these panics");
}

#[test]
#[should_panic(expected = "Value used after its graph was cleared")]
fn a_cleared_graph_is_gone() {
    let x = Value::variable(1.0);
    let y = x * x;
    Value::clear_graph();
    y.backward();
}

#[test]
fn a_value_of_another_thread_is_recognised() {
    let foreign = std::thread::spawn(|| Value::variable(1.0)).join().unwrap();
    let own = Value::variable(2.0);
    own.backward();

    let uses: [fn(Value); 5] =
        [|v| _ = v.primal(), |v| _ = 1.0 - v, |v| _ = v == 1.0, |v| v.backward(), |v| _ = v.grad()];
    for (k, use_it) in uses.into_iter().enumerate() {
        let message = panic_message(move || use_it(foreign));
        assert!(message.starts_with(OTHER_THREAD), "use {k}: {message}");
    }
    assert_eq!(foreign.check(), Err(ValueError::OtherThread));
    assert_eq!(own.gradient(&[foreign]), Err(ValueError::OtherThread));
}

#[test]
fn constants_go_anywhere() {
    let constant = Value::constant(2.0);
    let sum = std::thread::spawn(move || (constant + Value::variable(1.0)).primal()).join().unwrap();
    assert_eq!(sum, 3.0);
}

#[test]
fn threads_have_graphs_of_their_own() {
    let _x = Value::variable(1.0);
    let there = std::thread::spawn(|| {
        let x = Value::variable(5.0);
        (x * x).backward();
        (Value::live_nodes(), x.grad())
    });
    assert_eq!(there.join().unwrap(), (2, 10.0));
}
