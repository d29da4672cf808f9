//! A dead owner's lane is adopted by one, its word is let go once, and nobody alive is robbed.

use loom::thread::spawn;

use super::{SHORT, Stage, Tracked, check};
use crate::journal::{Context, settle_lane, stage_one};
use crate::process::{Actor, LaneState, adopt, claim_free, dead_owner, release_lane};
use crate::region::layout::pack;
use crate::sys::atomic::Ordering::SeqCst;
use crate::sys::model::{self, Variant};

/// An owner dies at `point`; two others want the word, find him dead, and get it one after the other.
fn owner_dies(point: &'static str) {
    check(point, 2, 4, SHORT, Tracked::Lives, &[], move |stage: Stage| {
        let others = [1, 2].map(|id| spawn(move || stage.write(id, id as u64)));
        let died = model::dies_at(point, || {
            let mut context = Context::at_rest(stage.actors[0], 0);
            context.begin();
            context.lock(stage.header).expect("a lock");
            context.commit().expect("a commit");
        });
        assert!(died);
        stage.kill(0);
        others.into_iter().for_each(|other| other.join().expect("a thread"));
        // The others may have been through before he died.
        stage_one(stage.space, stage.actors[1].me, 0).expect("a recovery");
        stage.assert_at_rest();
        // What the dead held is let go by one recoverer, and only by recovery.
        assert!(model::count_of("close: word free") <= 1, "let go twice");
        assert!(model::count_of("stage 1: done") <= 1, "recovered twice");
        if matches!(point, "lock: word taken" | "lock: version odd" | "commit: committed, words held") {
            assert_eq!(model::count_of("close: word free"), 1);
        }
    });
}

#[test]
fn model_a_dead_owner_is_settled_once() {
    let points = ["lock: intent", "lock: word taken", "lock: version odd", "commit: committed, words held"];
    points.into_iter().for_each(owner_dies);
}

/// Two have found the lane's owner dead; one of them is late, and somebody alive may have the lane by then.
fn late_recoverer(name: &str, variants: &'static [Variant]) {
    check(name, 3, 4, SHORT, Tracked::Lives, variants, |stage: Stage| {
        stage.kill(0);
        let recover = move |id: usize| {
            let me = stage.actors[id].me;
            let Some(owner) = dead_owner(stage.space, me, 0).expect("a lane") else { return false };
            let Some(actor) = adopt(stage.space, me, 0, owner).expect("a lane") else { return false };
            settle_lane(&actor).expect("a recovery");
            true
        };
        let recoverers = [1, 2].map(|id| {
            spawn(move || {
                let won = recover(id);
                if won {
                    // Stage 2 has nothing to do; the next owner comes.
                    release_lane(&Actor::new(stage.space, stage.actors[id].me, 0).expect("a lane"));
                    let next = claim_free(stage.space, stage.actors[id].me, 0).expect("a lane");
                    assert!(next.is_some(), "somebody alive was robbed");
                }
                won
            })
        });
        let won = recoverers.map(|recoverer| usize::from(recoverer.join().expect("a thread")));
        assert_eq!(won.iter().sum::<usize>(), 1, "somebody alive was robbed");
        let owner = stage.actors[0].lane.owner.load(SeqCst);
        assert_eq!(LaneState::of(owner), LaneState::Owned);
        assert_eq!(pack::owner_slot(owner) as usize, if won[0] == 1 { 1 } else { 2 }, "somebody alive was robbed");
    });
}

#[test]
fn model_a_late_recoverer_does_not_rob_the_next_owner() {
    late_recoverer("late recoverer", &[]);
}

#[test]
#[should_panic(expected = "somebody alive was robbed")]
fn model_canary_an_adoption_that_ignores_the_incarnation() {
    late_recoverer("canary: adopts anyone", &[Variant::AdoptsAnyone]);
}
