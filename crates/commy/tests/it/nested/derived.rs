//! `#[derive(Value)]`: in, lent, changed in place, out.

use commy::{Result, SharedBox, SharedHashMap, SharedVec, SharedVecDeque, Value};
use std::collections::{BTreeMap, HashMap};

use crate::support::temporary::TemporaryRegion;

#[derive(Debug, Clone, PartialEq, Default, Value)]
pub struct Job {
    pub id: u64,
    pub name: String,
    pub payload: Vec<u8>,
    pub tags: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Default, Value)]
pub enum Event {
    #[default]
    Idle,
    Moved {
        x: f64,
        y: f64,
    },
    Said(String),
    Queued(Vec<Job>, Option<String>),
    Counted {
        by: HashMap<String, BTreeMap<u32, Vec<String>>>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Value)]
struct Marker;

#[derive(Debug, Clone, PartialEq, Value)]
struct Pair(Marker, Event);

fn job(id: u64) -> Job {
    Job {
        id,
        name: format!("a job with a long name, number {id}"),
        payload: vec![id as u8; id as usize],
        tags: (0..id % 4).map(|tag| format!("tag {tag} of a job that has a long list of them")).collect(),
    }
}

fn events() -> Vec<Event> {
    let inner = BTreeMap::from([(1, vec!["a string that owns a block".to_string()]), (2, vec![])]);
    vec![
        Event::Idle,
        Event::Moved { x: 1.5, y: -2.0 },
        Event::Said("a sentence that does not fit into its slot".into()),
        Event::Queued(vec![job(1), job(30)], Some("because it was asked for".into())),
        Event::Queued(vec![], None),
        Event::Counted { by: HashMap::from([("first of all keys".to_string(), inner)]) },
    ]
}

#[test]
fn a_struct_goes_in_is_lent_and_comes_out_whole() -> Result<()> {
    let region = TemporaryRegion::new();
    let jobs: SharedVecDeque<Job> = region.object("jobs")?;
    (0..40).try_for_each(|id| jobs.push_back(job(id)))?;
    {
        let guard = jobs.read()?;
        let lent = guard.get(7).unwrap();
        assert_eq!((*lent.id, lent.name, lent.payload), (7, "a job with a long name, number 7", &[7; 7][..]));
        assert_eq!(lent.tags.len(), 3);
        assert_eq!(lent.tags.get(1), Some("tag 1 of a job that has a long list of them"));
        let shown = format!("{:?}", guard.get(2).unwrap());
        let expected = "JobRef { id: 2, name: \"a job with a long name, number 2\", payload: [2, 2], tags: \
            [\"tag 0 of a job that has a long list of them\", \"tag 1 of a job that has a long list of them\"] }";
        assert_eq!(shown, expected);
    }
    {
        let mut guard = jobs.write()?;
        let mut lent = guard.get_mut(7)?.unwrap();
        *lent.id += 100;
        lent.name.push_str(", changed")?;
        lent.payload.set(b"short".as_slice())?;
        lent.tags.push("one more")?;
        lent.tags.swap_remove(0)?;
    }
    let mut changed = job(7);
    changed.id += 100;
    changed.name.push_str(", changed");
    changed.payload = b"short".to_vec();
    changed.tags.push("one more".into());
    changed.tags.swap_remove(0);
    assert_eq!(jobs.get(7)?, Some(changed.clone()));
    for id in 0..40 {
        assert_eq!(jobs.pop_front()?, Some(if id == 7 { changed.clone() } else { job(id) }));
    }
    let schema = &region.objects()?[0].schema;
    assert_eq!(schema, "SharedVecDeque<Job { id: u64, name: String, payload: Vec<u8>, tags: Vec<String> }>");
    region.assert_empty_but_for("jobs");
    Ok(())
}

#[test]
fn an_enum_with_data_is_a_value_in_each_of_its_variants() -> Result<()> {
    let region = TemporaryRegion::new();
    let log: SharedVec<Event> = region.object("log")?;
    log.extend(events())?;
    assert_eq!(log.to_vec()?, events());
    assert!(region.check()?.is_clean());
    {
        let guard = log.read()?;
        assert!(matches!(guard.get(1), Some(EventRef::Moved { x: 1.5, .. })));
        let Some(EventRef::Queued(jobs, Some(why))) = guard.get(3) else { panic!("another variant") };
        assert_eq!((jobs.get(1).unwrap().name, why), ("a job with a long name, number 30", "because it was asked for"));
    }
    {
        let mut guard = log.write()?;
        match guard.get_mut(3)? {
            Some(EventMut::Queued(mut jobs, mut why)) => {
                jobs.push(job(9))?;
                *jobs.get_mut(0)?.unwrap().id = 77;
                assert_eq!(why.take()?.as_deref(), Some("because it was asked for"));
            }
            _ => panic!("another variant"),
        }
        match guard.get_mut(5)? {
            Some(EventMut::Counted { mut by }) => {
                by.entry("second").or_default()?.entry(5).or_default()?.push("deep down")?;
            }
            _ => panic!("another variant"),
        }
    }
    let Some(Event::Queued(jobs, None)) = log.get(3)? else { panic!("another variant") };
    assert_eq!(jobs, [Job { id: 77, ..job(1) }, job(30), job(9)]);
    let Some(Event::Counted { by }) = log.get(5)? else { panic!("another variant") };
    assert_eq!(by["second"][&5], ["deep down"]);
    assert!(region.check()?.is_clean());
    // Each variant over each other one.
    for (index, event) in events().iter().enumerate() {
        for other in events() {
            assert!(log.set(index, &other)?);
            assert_eq!(log.get(index)?, Some(other));
        }
        log.set(index, event)?;
    }
    assert!(region.check()?.is_clean());
    log.clear()?;
    region.assert_empty_but_for("log");
    Ok(())
}

#[test]
fn tuple_structs_units_and_boxes() -> Result<()> {
    let region = TemporaryRegion::new();
    let pairs: SharedHashMap<u32, Pair> = region.object("pairs")?;
    for (key, event) in (0..).zip(events()) {
        pairs.insert(key, Pair(Marker, event))?;
    }
    assert_eq!(pairs.get(&2)?, Some(Pair(Marker, events().remove(2))));
    assert!(
        matches!(pairs.read()?.get(&4), Some(PairRef(MarkerRef(_), EventRef::Queued(jobs, None))) if jobs.is_empty())
    );
    let cell: SharedBox<Job> = region.object("box")?;
    cell.update(|value| *value = job(3))?;
    cell.write()?.get_mut()?.tags.clear()?;
    assert_eq!(cell.get()?, Job { tags: vec![], ..job(3) });
    assert!(region.check()?.is_clean());
    region.remove_object("pairs")?;
    region.assert_empty_but_for("box");
    Ok(())
}
