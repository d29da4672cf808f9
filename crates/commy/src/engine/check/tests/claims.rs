//! Who waited for a word and gave up or died leaves a claim to it.

use super::*;
use crate::Error;
use crate::journal::acquire;
use crate::lock::{self, Waiting};

const RESERVED_BY_THE_DEAD: u32 = 1 << 18 | 1 << 16;

#[test]
fn arenas_that_the_dead_have_reserved_take_blocks_back() {
    let world = World::full();
    let actor = world.actor(1);
    let lists_are_empty = || actor.lane.lists.iter().all(|list| pack::list_head(list.peek()) == 0);
    let allocate = |context: &mut Context| (0..500).for_each(|_| assert_ne!(context.allocate(900).unwrap(), 0));
    world.act_on(1, 0, false, allocate);
    assert!(!lists_are_empty());
    for index in 0..ARENA_COUNT {
        world.space.arena(index).word.store(RESERVED_BY_THE_DEAD, Ordering::SeqCst);
    }
    crate::heap::flush_all(&actor).unwrap();
    assert!(lists_are_empty());
    world.assert_clean();
}

#[test]
fn who_gives_up_early_leaves_the_reservation_of_somebody_else() {
    let world = World::full();
    let (holder, header) = (world.actor(0), world.header(world.objects[0]));
    assert!(lock::try_lock(&header.word, holder.lock_id()));
    header.word.fetch_or(RESERVED_BY_THE_DEAD, Ordering::SeqCst);
    let mut impatient = world.actor(1);
    impatient.me.timeout = Duration::ZERO;
    let waited = acquire(&impatient, &header.word, Some(&header.claims_ended), &mut Waiting::new());
    assert!(matches!(waited, Err(Error::Timeout { .. })), "{waited:?}");
    assert_eq!(header.word.load(Ordering::SeqCst) & RESERVED_BY_THE_DEAD, RESERVED_BY_THE_DEAD);
    lock::release(&header.word, holder.lock_id());
}

#[test]
fn who_gives_up_takes_its_reservation_back() {
    let world = World::full();
    let (holder, header) = (world.actor(0), world.header(world.objects[0]));
    assert!(lock::try_lock(&header.word, holder.lock_id()));
    let mut impatient = world.actor(1);
    impatient.me.timeout = Duration::from_millis(20);
    let waited = std::thread::scope(|scope| {
        let wait = || acquire(&impatient, &header.word, Some(&header.claims_ended), &mut Waiting::new());
        let waiter = scope.spawn(wait);
        // It was there, or the test would show nothing.
        while header.word.load(Ordering::SeqCst) & RESERVED_BY_THE_DEAD != RESERVED_BY_THE_DEAD {
            assert!(!waiter.is_finished(), "nothing was reserved");
            std::hint::spin_loop();
        }
        waiter.join().unwrap()
    });
    assert!(matches!(waited, Err(Error::Timeout { .. })), "{waited:?}");
    lock::release(&header.word, holder.lock_id());
    // (The flag of those who sleep costs the next owner a look, no more.)
    assert!(lock::try_lock(&header.word, holder.lock_id()), "still reserved");
    lock::release(&header.word, holder.lock_id());
}

#[test]
fn writers_who_take_turns_take_the_claim_of_a_dead_reader_back() {
    const CLAIMED_BY_THE_DEAD: u32 = 1 << 20 | 1 << 16;
    let world = World::full();
    let header = world.header(world.objects[0]);
    header.word.store(CLAIMED_BY_THE_DEAD, Ordering::SeqCst);
    let writers = [0, 1].map(|lane| world.actor(lane));
    std::thread::scope(|scope| {
        for writer in &writers {
            scope.spawn(move || {
                for _ in 0..10 {
                    if !lock::try_lock(&header.word, writer.lock_id()) {
                        acquire(writer, &header.word, Some(&header.claims_ended), &mut Waiting::new()).unwrap();
                    }
                    lock::open_version(header);
                    lock::close_version(header);
                    lock::release(&header.word, writer.lock_id());
                }
            });
        }
    });
    assert_eq!(header.word.load(Ordering::SeqCst) >> 20, 0, "the claim stands, and each change waits for it");
    assert_eq!(header.claims_ended.peek(), 1);
}
