//! Operations on `SharedChannel`, through the handle and through kept ends.

use crate::scenario::{Scenario, scenario, silent, steps};
use crate::temporary::quiet;
use crate::world::{Record, Sample, Wide};
use commy::{Error, Region, Result, SharedChannel};
use std::collections::VecDeque;
use std::time::Duration;

type Numbers = SharedChannel<u64>;
type Records = SharedChannel<Record>;
type Pages = SharedChannel<Wide>;

const MOMENT: Duration = Duration::from_millis(1);

fn few<T: Sample>(count: u64) -> VecDeque<T> {
    (0..count).map(T::sample).collect()
}

fn take_first<T>(twin: &mut VecDeque<T>) {
    twin.pop_front();
}

/// The same channel as another process has it, which is there until `body` returns.
fn by_another<R>(region: &Region, body: impl FnOnce(&Numbers) -> Result<R>) -> Result<R> {
    let other = quiet().own_attachment().open(region.path())?;
    body(&other.open_object("object")?)
}

pub fn channels() -> Vec<Scenario> {
    vec![
        scenario::<Numbers>("SharedChannel<u64>: send", few(3), |c| c.push_back(7), |c, _| c.send(7)),
        scenario::<Records>(
            "SharedChannel<Record>: try_send",
            few(0),
            |c| c.push_back(Sample::sample(7)),
            |c, _| c.try_send(Sample::sample(7)),
        ),
        scenario::<Numbers>("SharedChannel<u64>: recv", few(3), take_first, |c, _| {
            c.recv().map(|value| assert_eq!(value, 0))
        }),
        scenario::<Pages>("SharedChannel<[u64; 64]>: try_recv", few(2), take_first, |c, _| {
            c.try_recv().map(|value| assert_eq!(value, Some(Sample::sample(0))))
        }),
        // Each message for itself.
        steps::<Records>(
            "SharedChannel<Record>: three by a kept end",
            few(1),
            &[
                |c| c.push_back(Sample::sample(5)),
                |c| c.push_back(Sample::sample(6)),
                |c| c.push_back(Sample::sample(7)),
            ],
            |c, _| {
                let mut sender = c.sender()?;
                (5..8).try_for_each(|number| sender.send(Sample::sample(number)))
            },
        ),
        steps::<Numbers>("SharedChannel<u64>: two drained by a kept end", few(2), &[take_first, take_first], |c, _| {
            c.receiver()?.drain().map(|all| assert_eq!(all, [0, 1]))
        }),
        scenario::<Pages>(
            "SharedChannel<[u64; 64]>: reserve and commit",
            few(1),
            |c| c.push_back(Sample::sample(9)),
            |c, _| {
                let mut sender = c.sender()?;
                let mut place = sender.reserve()?;
                place.fill(9);
                place.commit()
            },
        ),
        silent::<Pages>("SharedChannel<[u64; 64]>: reserve and no commit", few(1), |c, _| {
            let mut sender = c.sender()?;
            sender.reserve()?.fill(9);
            Ok(())
        }),
        scenario::<Pages>("SharedChannel<[u64; 64]>: a message that is lent", few(2), take_first, |c, _| {
            let mut receiver = c.receiver()?;
            assert_eq!(receiver.peek()?, Some(&Sample::sample(0)));
            receiver.recv_ref().map(|message| assert_eq!(*message, <Wide as Sample>::sample(0)))
        }),
        scenario::<Numbers>(
            "SharedChannel<u64>: send after a sleep",
            few(0),
            |c| c.push_back(7),
            |c, _| {
                // Leaves word that somebody sleeps.
                assert_eq!(c.recv_timeout(MOMENT)?, None);
                c.send(7)
            },
        ),
        // After so many calls they go as far as they may without a look at the other end.
        steps::<Numbers>(
            "SharedChannel<u64>: two sent in a stream of calls",
            few(70),
            &[|c| c.push_back(70), |c| c.push_back(71)],
            |c, _| {
                c.send(70)?;
                c.try_send(71)
            },
        ),
        steps::<Numbers>(
            "SharedChannel<u64>: take the ends of the dead",
            few(1),
            &[|c| c.push_back(7), take_first],
            |c, region| {
                // Whoever keeps an end and detaches is as good as dead.
                by_another(region, |other| {
                    std::mem::forget((other.sender()?, other.receiver()?));
                    Ok(())
                })?;
                let (mut sender, mut receiver) = (c.sender()?, c.receiver()?);
                sender.send(7)?;
                receiver.recv().map(drop)
            },
        ),
        silent::<Numbers>("SharedChannel<u64>: wait for an end", few(1), |c, region| {
            by_another(region, |other| {
                let _kept = other.sender()?;
                match c.send_timeout(7, MOMENT) {
                    Err(Error::Timeout { .. }) => Ok(()),
                    other => panic!("{other:?}"),
                }
            })
        }),
        silent::<Numbers>("SharedChannel<u64>: one without a name", few(0), |_, region| {
            let nameless = Numbers::with_capacity_in(region, 2)?;
            nameless.send(1)?;
            nameless.send(2)?;
            assert!(matches!(nameless.try_send(3), Err(Error::Full { limit: 2 })));
            Ok(())
        }),
    ]
}
