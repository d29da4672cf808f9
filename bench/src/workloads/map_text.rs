//! A map from texts to texts: keys of 32 bytes, values of 100, each of which has a block of its own in Commy and in a
//! process.

use crate::Outcome;
use crate::arguments::Arguments;
use crate::measure::Standings;
use crate::peers::{Reader, text_of, texts, verified};
use crate::random::Random;
use crate::report::{Report, Target};

pub(crate) fn run(arguments: &Arguments, report: &mut Report) -> Outcome {
    let mut random = Random::new(arguments.seed);
    let numbers = random.distinct(arguments.scaled(300_000));
    let texts_of: Vec<_> = numbers.iter().map(|number| text_of(*number)).collect();
    let order = random.shuffled(&(0..texts_of.len()).collect::<Vec<_>>());
    let mut readers = texts(arguments)?;
    // Those that get fewer get the same as everybody first.
    let few: Vec<&str> = order
        .iter()
        .filter(|index| readers.iter().any(|reader| **index < reader.most && reader.most < texts_of.len()))
        .map(|index| texts_of[*index].0.as_str())
        .collect();
    let order: Vec<&str> = order.into_iter().map(|index| texts_of[index].0.as_str()).collect();
    let count = |reader: &Reader| reader.most.min(texts_of.len());

    let insert = |reader: &mut Reader| {
        let count = count(reader);
        verified(reader.map.insert(&texts_of[..count])?, count as u64, count)
    };
    let standings = Standings::take(arguments.rounds(9), 2, &mut readers, insert)?;
    let target = [("Mutex<HashMap>, malloc", Target::Ratio(1.3))];
    report.add_race("insert of 32 + 100 bytes, from empty", &standings, 0, &target);
    report.add_race("insert of 32 + 100 bytes, from empty, under a guard", &standings, 1, &target);

    let last_bytes = |count: usize| texts_of[..count].iter().filter_map(|(_, value)| value.bytes().last());
    let get = |reader: &mut Reader| {
        let count = count(reader);
        let order = if count < texts_of.len() { &few } else { &order };
        verified(reader.map.get(order)?, last_bytes(count).map(u64::from).sum(), count)
    };
    let standings = Standings::take(arguments.rounds(9), 2, &mut readers, get)?;
    report.add_race("get, a copy", &standings, 0, &[]);
    report.add_race("get, under a guard", &standings, 1, &[("HashMap, malloc", Target::Ratio(1.0))]);
    Ok(())
}
