//! Operations on `SharedCounter` and `SharedGauge`. Their worlds make a new object for each fill.

use crate::scenario::{Scenario, scenario, silent, steps};
use crate::temporary::quiet;
use crate::world::{Counted, Gauged};
use commy::{SharedCounter, SharedGauge};

pub fn counters() -> Vec<Scenario> {
    vec![
        // The segment comes first, with a fate of its own.
        steps::<Counted>(
            "SharedCounter: count for the first time",
            (0, 0),
            &[|twin| twin.1 = 1, |twin| twin.0 = 5],
            |counted, _| counted.counter.add(5),
        ),
        scenario::<Counted>("SharedCounter: count", (3, 1), |twin| twin.0 += 5, |counted, _| counted.counter.add(5)),
        scenario::<Counted>(
            "SharedCounter: reset",
            (3, 1),
            |twin| twin.0 = 0,
            |counted, _| counted.counter.reset().map(drop),
        ),
        silent::<Counted>("SharedCounter: reset and rolled back", (3, 1), |counted, _| {
            let mut guard = counted.counter.write()?;
            guard.reset()?;
            guard.rollback();
            Ok(())
        }),
        silent::<Counted>("SharedCounter: one without a name", (3, 1), |_, region| {
            let nameless = SharedCounter::new_in(region)?;
            nameless.add(4)?;
            assert_eq!(nameless.get()?, 4);
            Ok(())
        }),
        silent::<Gauged>("SharedGauge: take over a place", 7, |gauged, region| {
            let other = quiet().own_attachment().open(region.path())?;
            other.open_object::<SharedGauge>(&gauged.name)?.add(3)?;
            drop(other);
            gauged.gauge.add(5)?;
            gauged.gauge.add(-5).map(drop)
        })
        .beside_its_filler(),
        // What the child contributes ends with the child.
        silent::<Gauged>("SharedGauge: contribute", 7, |gauged, _| {
            gauged.gauge.add(5)?;
            gauged.gauge.add(2)?;
            gauged.gauge.add(-7).map(drop)
        })
        .beside_its_filler(),
    ]
}
