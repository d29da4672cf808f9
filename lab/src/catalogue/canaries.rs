//! Operations that are wrong on purpose: whoever looks for faults must find them.

use crate::scenario::{Scenario, scenario};
use commy::SharedVec;

/// Operations that are wrong on purpose.
pub fn canaries() -> Vec<Scenario> {
    vec![
        // Two changes that pretend to be one.
        scenario::<SharedVec<u64>>(
            "canary: half an operation",
            vec![1],
            |v| v.extend([2, 3]),
            |v, _| {
                v.push(2)?;
                v.push(3)
            },
        ),
        // Nobody sees the other object, but it takes memory.
        scenario::<SharedVec<u64>>(
            "canary: a leak",
            vec![1],
            |v| v.push(2),
            |v, region| {
                region.object::<SharedVec<u64>>(&format!("of {}", std::process::id()))?;
                v.push(2)
            },
        ),
        // The lock is never let go.
        scenario::<SharedVec<u64>>(
            "canary: a lock that stays",
            vec![1],
            |v| v.push(2),
            |v, _| {
                let mut guard = v.write()?;
                guard.push(2)?;
                std::mem::forget(guard);
                Ok(())
            },
        ),
    ]
}
