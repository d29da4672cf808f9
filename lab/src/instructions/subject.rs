//! What is killed: an operation, the recovery from the death of one, the creation of a region.

use crate::catalogue;
use crate::scenario::Scenario;

/// How a recoverer comes to its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// It is attached, as others are, and waits for the locks of the dead.
    Waiter,
    /// Nobody is attached; it opens the region.
    Opener,
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    Operation {
        name: String,
    },
    /// Of a victim that died after so many quarters of what others can see of it.
    Recovery {
        name: String,
        quarter: u8,
        way: Way,
    },
    Creation,
}

/// Victims of which recovery has something of each kind to do.
const VICTIMS: &[&str] = &[
    "transaction: a text from a vector to a map",
    "transaction: three objects",
    "transaction: a log that spills",
    "transaction: fails",
    "SharedVec<String>: clear",
    "SharedHashMap<String, Vec<u8>>: insert with growth",
    "SharedVecDeque<String>: push_front with growth",
    "objects: remove",
    "objects: create a box",
    "objects: a map without a name",
    "two guards: the first ends first",
    "two guards: blocks of one size",
    "two guards: one rolled back",
    "threads: exit",
    "regions: close",
];

impl Subject {
    /// Everything that is to be survived.
    pub fn all() -> Vec<Subject> {
        // Each look is that of a fresh process, so nothing can be said of what ends with the one before it.
        let lasting = catalogue::all().into_iter().filter(|scenario| !scenario.filler_stays);
        let operations = lasting.map(|scenario| Subject::Operation { name: scenario.name });
        let ways = [Way::Waiter, Way::Opener];
        let deaths = VICTIMS.iter().flat_map(|name| [1, 2, 3].map(|quarter| (name.to_string(), quarter)));
        let recoveries =
            deaths.flat_map(|(name, quarter)| ways.map(|way| Subject::Recovery { name: name.clone(), quarter, way }));
        operations.chain(recoveries).chain([Subject::Creation]).collect()
    }

    /// What is wrong on purpose.
    pub fn canaries() -> Vec<Subject> {
        catalogue::canaries().into_iter().map(|scenario| Subject::Operation { name: scenario.name }).collect()
    }

    pub fn scenario(&self) -> Scenario {
        match self {
            Subject::Operation { name } | Subject::Recovery { name, .. } => catalogue::find(name),
            // Not performed: the creation verifies itself.
            Subject::Creation => catalogue::find("SharedVec<String>: push"),
        }
    }

    pub fn name(&self) -> String {
        match self {
            Subject::Operation { name } => name.clone(),
            Subject::Recovery { name, quarter, way } => format!("recovery by {way:?}, {quarter}/4 of {name}"),
            Subject::Creation => "creation of a region".into(),
        }
    }

    /// The row of the table that it belongs to.
    pub fn group(&self) -> String {
        match self {
            Subject::Recovery { way: Way::Waiter, .. } => "recovery by a waiter".into(),
            Subject::Recovery { way: Way::Opener, .. } => "recovery by an opener".into(),
            Subject::Creation => "regions".into(),
            Subject::Operation { name } => {
                let name = name.strip_prefix("rows: ").unwrap_or(name).trim_start_matches("long ");
                match name.split([':', '<', ' ']).next().unwrap_or(name) {
                    "a" | "two" => "several guards".into(),
                    "transaction" => "transactions".into(),
                    first => first.into(),
                }
            }
        }
    }

    /// Does it belong to the sample of this offset? Recording a recovery takes long, so victims take turns.
    pub fn is_in_sample(&self, offset: u64) -> bool {
        match self {
            Subject::Recovery { quarter, .. } => u64::from(*quarter) == 1 + offset % 3,
            _ => true,
        }
    }

    /// As a line for a worker.
    pub fn encode(&self) -> String {
        match self {
            Subject::Operation { name } => format!("operation\t{name}"),
            Subject::Recovery { name, quarter, way } => format!("recovery\t{name}\t{quarter}\t{way:?}"),
            Subject::Creation => "creation".into(),
        }
    }

    /// From such a line.
    pub fn decode(line: &str) -> Option<Subject> {
        match line.split('\t').collect::<Vec<_>>()[..] {
            ["operation", name] => Some(Subject::Operation { name: name.into() }),
            ["recovery", name, quarter, way] => {
                let way = if way == "Waiter" { Way::Waiter } else { Way::Opener };
                Some(Subject::Recovery { name: name.into(), quarter: quarter.parse().ok()?, way })
            }
            ["creation"] => Some(Subject::Creation),
            _ => None,
        }
    }
}
