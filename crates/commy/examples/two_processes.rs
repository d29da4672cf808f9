//! The three examples of the original README, for real: a counter, a task queue and a configuration map shared by two processes.
use commy::{Plain, Region, Result, SharedBox, SharedHashMap, SharedVecDeque};
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Plain)]
#[repr(C)]
struct Task {
    id: u64,
    kind: u32,
    priority: f32,
}

fn parent(path: &std::path::Path) -> Result<()> {
    let region = Region::create(path)?;
    let counter: SharedBox<u64> = region.object("counter")?; // T: Default
    counter.set(42)?;
    let config: SharedHashMap<String, String> = region.object("config")?;
    config.insert("log.level", "debug")?;
    let tasks: SharedVecDeque<Task> = region.object("tasks")?;

    let mut child = std::process::Command::new(std::env::current_exe().unwrap()).arg(path).spawn().unwrap();
    for id in 0..1000 {
        tasks.push_back(Task { id, kind: 1, priority: 0.5 })?;
    }
    assert!(child.wait().unwrap().success());
    assert_eq!(counter.get()?, 42 + 1000);
    assert_eq!(config.get("log.level")?.as_deref(), Some("info"));
    assert!(tasks.is_empty()?);
    drop(region);
    Region::remove(path)
}

fn child(path: &std::path::Path) -> Result<()> {
    let region = Region::open(path)?;
    let counter: SharedBox<u64> = region.object("counter")?;
    assert_eq!(counter.get()?, 42);
    let config: SharedHashMap<String, String> = region.object("config")?;
    assert_eq!(config.get("log.level")?.as_deref(), Some("debug"));
    config.insert("log.level", "info")?;
    let tasks: SharedVecDeque<Task> = region.object("tasks")?;
    for expected in 0..1000 {
        let task = tasks.pop_front_wait(Duration::from_secs(10))?.expect("a task within ten seconds");
        assert_eq!(task.id, expected);
        counter.update(|n| *n += 1)?;
    }
    Ok(())
}

fn main() -> Result<()> {
    match std::env::args_os().nth(1) {
        Some(path) => child(path.as_ref()),
        None => parent(&std::env::temp_dir().join(format!("commy-two-{}", std::process::id()))),
    }
}
