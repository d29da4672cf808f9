//! What must be in the region, by what the workers have acknowledged alone.

use super::notes::{Kind, Note};
use super::worker::SEAT_SHIFT;
use std::collections::{BTreeMap, BTreeSet};

/// What the region holds when nobody is at work.
pub struct Content {
    /// Every token that lies somewhere, as often as it does.
    pub tokens: Vec<u64>,
    /// {tokens that have ended, their sum}.
    pub ended: [u64; 2],
    pub counter: u64,
    /// What was written, by seat.
    pub lists: BTreeMap<u64, Vec<u64>>,
    /// What waits in the channel, the next one first.
    pub messages: Vec<u64>,
}

/// What came of a comparison.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Account {
    pub acknowledged: u64,
    pub lost: u64,
    pub doubled: u64,
    /// Each difference, in words.
    pub faults: Vec<String>,
}

/// Compares. `notes`: those of each seat.
pub fn compare(notes: &[Vec<Note>], content: &Content) -> Account {
    let acknowledged = notes.iter().flatten().filter(|note| note.acknowledged).count() as u64;
    let mut account = Account { acknowledged, ..Account::default() };
    tokens(notes, content, &mut account);
    counter(notes, content, &mut account);
    messages(notes, content, &mut account);
    for (seat, notes) in notes.iter().enumerate() {
        let empty = Vec::new();
        list(seat, notes, content.lists.get(&(seat as u64)).unwrap_or(&empty), &mut account);
    }
    account
}

fn values(notes: &[Vec<Note>], kind: Kind, acknowledged: bool) -> impl Iterator<Item = u64> + '_ {
    let wanted = move |note: &&Note| note.kind == kind && note.acknowledged == acknowledged;
    notes.iter().flatten().filter(wanted).map(|note| note.value)
}

fn tokens(notes: &[Vec<Note>], content: &Content, account: &mut Account) {
    let put: BTreeSet<u64> = values(notes, Kind::Put, true).collect();
    let perhaps: BTreeSet<u64> = values(notes, Kind::Put, false).collect();
    let mut there = BTreeMap::new();
    content.tokens.iter().for_each(|token| *there.entry(*token).or_insert(0) += 1);
    for (token, times) in &there {
        if !put.contains(token) && !perhaps.contains(token) {
            account.faults.push(format!("token {token:x} comes from nowhere"));
        }
        if *times > 1 {
            account.doubled += 1;
            account.faults.push(format!("token {token:x} is there {times} times"));
        }
    }
    // What is not there has ended, or was lost; what was perhaps put may have ended, too.
    let missing: Vec<u64> = put.iter().filter(|token| !there.contains_key(token)).copied().collect();
    let unsure: Vec<u64> = perhaps.iter().filter(|token| !there.contains_key(token)).copied().collect();
    let [count, sum] = content.ended;
    let missing_sum = missing.iter().fold(0u64, |sum, token| sum.wrapping_add(*token));
    let more = count.wrapping_sub(missing.len() as u64);
    let rest = sum.wrapping_sub(missing_sum);
    let agrees = match more {
        0 => rest == 0,
        1 => unsure.contains(&rest),
        _ => more <= unsure.len() as u64,
    };
    if !agrees {
        let lost = (missing.len() as u64).saturating_sub(count);
        account.lost += lost.max(1);
        let seats: BTreeSet<u64> = missing.iter().map(|token| token >> SEAT_SHIFT).collect();
        account.faults.push(format!(
            "lost: {} tokens are missing, of seats {seats:?} + 1, but {count} have ended; {} are unsure; sums differ by {rest:x}",
            missing.len(),
            unsure.len()
        ));
    }
    let acknowledged = values(notes, Kind::End, true).fold(0u64, u64::wrapping_add);
    let open = values(notes, Kind::End, false).count() as u64;
    let most = 3 * open * ((notes.len() as u64 + 2) << SEAT_SHIFT);
    if sum < acknowledged || sum - acknowledged > most {
        account.lost += 1;
        account.faults.push(format!("lost: ends of {acknowledged:x} were acknowledged, {sum:x} is in the book"));
    }
}

fn counter(notes: &[Vec<Note>], content: &Content, account: &mut Account) {
    let least: u64 = values(notes, Kind::Count, true).sum();
    let most = least + values(notes, Kind::Count, false).sum::<u64>();
    if !(least..=most).contains(&content.counter) {
        account.lost += u64::from(content.counter < least);
        account.doubled += u64::from(content.counter > most);
        account.faults.push(format!("the counter is {}, not in {least}..={most}", content.counter));
    }
}

/// Each message that was sent waits, or was taken once; of those that nobody knows to have taken, each was perhaps taken by
/// somebody who died with it. Those of one sender come in their order.
fn messages(notes: &[Vec<Note>], content: &Content, account: &mut Account) {
    let sent: BTreeSet<u64> = values(notes, Kind::Send, true).collect();
    let perhaps: BTreeSet<u64> = values(notes, Kind::Send, false).collect();
    let (mut seen, mut newest) = (BTreeSet::new(), BTreeMap::new());
    let mut look = |message: u64, account: &mut Account| {
        if !sent.contains(&message) && !perhaps.contains(&message) {
            account.faults.push(format!("message {message:x} comes from nowhere"));
        }
        if !seen.insert(message) {
            account.doubled += 1;
            account.faults.push(format!("message {message:x} is there twice"));
        }
    };
    for message in values(notes, Kind::Receive, true) {
        look(message, account);
        let newest = newest.entry(message >> SEAT_SHIFT).or_insert(message);
        *newest = message.max(*newest);
    }
    for message in &content.messages {
        look(*message, account);
        if newest.insert(message >> SEAT_SHIFT, *message).is_some_and(|before| before > *message) {
            account.faults.push(format!("message {message:x} waits behind a later one of its sender"));
        }
    }
    let missing = sent.iter().filter(|message| !seen.contains(message)).count() as u64;
    let open = values(notes, Kind::Receive, false).count() as u64;
    if missing > open {
        account.lost += missing - open;
        account.faults.push(format!("lost: {missing} messages are missing, and {open} receivers died"));
    }
}

/// The acknowledged lines in their order, the others perhaps, and nothing else.
fn list(seat: usize, notes: &[Note], found: &[u64], account: &mut Account) {
    let mut left = found.iter().peekable();
    for note in notes.iter().filter(|note| note.kind == Kind::Write) {
        if left.next_if_eq(&&note.value).is_none() && note.acknowledged {
            account.lost += 1;
            account.faults.push(format!("lost: line {:x} of seat {seat}", note.value));
            return;
        }
    }
    if left.next().is_some() {
        account.doubled += 1;
        account.faults.push(format!("seat {seat} has lines that it never wrote, or twice"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(kind: Kind, value: u64, acknowledged: bool) -> Note {
        Note { kind, value, acknowledged }
    }

    fn notes() -> Vec<Vec<Note>> {
        let put = |token, acknowledged| note(Kind::Put, token, acknowledged);
        vec![vec![
            put(1, true),
            put(2, true),
            put(3, false),
            note(Kind::End, 2, true),
            note(Kind::End, 0, false),
            note(Kind::Count, 5, true),
            note(Kind::Count, 3, false),
            note(Kind::Write, 7, true),
            note(Kind::Write, 8, false),
            note(Kind::Write, 9, true),
            note(Kind::Send, 21, true),
            note(Kind::Send, 22, true),
            note(Kind::Send, 23, true),
            note(Kind::Send, 24, false),
            note(Kind::Receive, 22, true),
            note(Kind::Receive, 0, false),
        ]]
    }

    fn content() -> Content {
        let lists = BTreeMap::from([(0, vec![7, 9])]);
        Content { tokens: vec![1], ended: [1, 2], counter: 5, lists, messages: vec![23] }
    }

    fn faults(change: impl FnOnce(&mut Content)) -> usize {
        let mut content = content();
        change(&mut content);
        compare(&notes(), &content).faults.len()
    }

    #[test]
    fn what_was_acknowledged_is_there_and_the_rest_perhaps() {
        assert_eq!(faults(|_| {}), 0);
        assert_eq!(faults(|content| content.tokens.push(3)), 0);
        assert_eq!(faults(|content| content.ended = [2, 5]), 0, "the third was put and has ended");
        assert_eq!(faults(|content| content.counter = 8), 0);
        assert_eq!(faults(|content| content.lists.get_mut(&0).unwrap().insert(1, 8)), 0);
        assert_eq!(faults(|content| content.messages = vec![23, 24]), 0, "the fourth was sent");
    }

    #[test]
    fn what_was_lost_doubled_or_invented_is_told() {
        assert!(faults(|content| content.tokens.clear()) > 0);
        assert!(faults(|content| content.tokens.push(1)) > 0);
        assert!(faults(|content| content.tokens.push(4)) > 0);
        assert!(faults(|content| content.ended = [0, 0]) > 0);
        assert!(faults(|content| content.ended = [1, 9]) > 0);
        assert!(faults(|content| content.counter = 4) > 0);
        assert!(faults(|content| content.counter = 9) > 0);
        assert!(faults(|content| content.lists.get_mut(&0).unwrap().truncate(1)) > 0);
        assert!(faults(|content| content.lists.get_mut(&0).unwrap().push(9)) > 0);
        assert!(faults(|content| content.messages.clear()) > 0, "two are missing, and one receiver died");
        assert!(faults(|content| content.messages.push(22)) > 0);
        assert!(faults(|content| content.messages.push(25)) > 0);
        assert!(faults(|content| content.messages = vec![24, 23]) > 0);
        assert!(faults(|content| content.messages = vec![21, 23]) > 0, "the second came out before the first");
    }
}
