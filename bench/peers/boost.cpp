// Boost.Interprocess as a peer: lines of words in, lines of numbers out, until the input ends. bench/src/peers/boost.rs
// builds and asks it.
//
//   boost SEGMENT unordered|ordered [YARD]
//   boost SEGMENT texts           keys, clear, insert, get: of a number a key of 32 hexadecimal digits and a value of 100;
//                                 the sum of get is that of the values' last bytes
//   keys COUNT FILE               -> COUNT     a batch of keys
//   clear                         -> 0
//   insert|get|update|remove|scan|iterate BATCH         -> nanoseconds sum
//   pairs COUNT SIZE              -> nanoseconds count  a block allocated and freed
//   nodes COUNT                   -> nanoseconds count  the same with a pool for nodes of 64 bytes
// and between a common start in the yard and its own end:
//   fill                          -> 0                  the yard's keys into the map
//   map EVERY COUNT FIRST MEETING -> start end verified
//   stress COUNT SIZE MEETING     -> start end verified
//   mixed ROUNDS RANDOM SEED MEETING                    -> start end verified
//
//   boost NAME queue              two message queues; the first process makes them
//   ready                         -> 0
//   give COUNT, echo COUNT        no answer
//   flow COUNT                    -> nanoseconds right
//   trips COUNT                   -> median 99-of-100 right

#include <boost/interprocess/allocators/allocator.hpp>
#include <boost/interprocess/allocators/cached_node_allocator.hpp>
#include <boost/interprocess/containers/map.hpp>
#include <boost/interprocess/containers/string.hpp>
#include <boost/interprocess/ipc/message_queue.hpp>
#include <boost/interprocess/managed_mapped_file.hpp>
#include <boost/interprocess/sync/interprocess_mutex.hpp>
#include <boost/interprocess/sync/scoped_lock.hpp>
#include <boost/lockfree/spsc_queue.hpp>
#include <boost/unordered_map.hpp>
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <iostream>
#include <sched.h>
#include <sstream>
#include <string>
#include <sys/mman.h>
#include <sys/stat.h>
#include <vector>

namespace ipc = boost::interprocess;
using Segment = ipc::managed_mapped_file;
using Manager = Segment::segment_manager;
using Pair = std::pair<const uint64_t, uint64_t>;
using Nodes = ipc::cached_node_allocator<Pair, Manager>;
// Boost.Unordered cannot be made with a node allocator: that asks for a node's size too early.
using Entries = ipc::allocator<Pair, Manager>;
using Unordered = boost::unordered_map<uint64_t, uint64_t, boost::hash<uint64_t>, std::equal_to<uint64_t>, Entries>;
using Ordered = ipc::map<uint64_t, uint64_t, std::less<uint64_t>, Nodes>;
using Mutex = ipc::interprocess_mutex;
using Lock = ipc::scoped_lock<Mutex>;
using Keys = std::vector<uint64_t>;

using Letters = ipc::allocator<char, Manager>;
using Text = ipc::basic_string<char, std::char_traits<char>, Letters>;

static const size_t CAPACITY = size_t(2) << 30;
static const int SCAN = 100;
static const size_t LIVE = 1000;

static uint64_t now(clockid_t clock) {
    timespec time;
    clock_gettime(clock, &time);
    return uint64_t(time.tv_sec) * 1000000000u + uint64_t(time.tv_nsec);
}

template <class Work> static void timed(Work work) {
    uint64_t start = now(CLOCK_THREAD_CPUTIME_ID);
    uint64_t sum = work();
    std::cout << now(CLOCK_THREAD_CPUTIME_ID) - start << ' ' << sum << std::endl;
}

// As in random.rs.
struct Random {
    uint64_t state;
    explicit Random(uint64_t seed) : state(seed * 0xD1342543DE82EF95u) {}
    uint64_t next() {
        state += 0x9E3779B97F4A7C15u;
        uint64_t mixed = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9u;
        mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBu;
        return mixed ^ (mixed >> 31);
    }
};

// Where the members of a crew meet, and their keys. As in crew.rs.
struct Yard {
    std::atomic<uint64_t> *arrived = nullptr;
    const uint64_t *keys = nullptr;
    size_t count = 0;

    void open(const char *path) {
        int file = ::open(path, O_RDWR);
        struct stat about;
        if (file < 0 || fstat(file, &about) != 0) throw std::runtime_error("no yard");
        void *words = mmap(nullptr, about.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        if (words == MAP_FAILED) throw std::runtime_error("no yard");
        arrived = static_cast<std::atomic<uint64_t> *>(words);
        keys = static_cast<uint64_t *>(words) + 8;
        count = about.st_size / 8 - 8;
    }
    void meet(uint64_t meeting) {
        arrived->fetch_add(1);
        while (arrived->load() < meeting) sched_yield();
    }
};

template <class Work> static void together(Yard &yard, uint64_t meeting, Work work) {
    yard.meet(meeting);
    uint64_t start = now(CLOCK_MONOTONIC);
    uint64_t verified = work();
    uint64_t end = now(CLOCK_MONOTONIC);
    std::cout << start << ' ' << end << ' ' << verified << std::endl;
}

static uint64_t range(Unordered &, uint64_t) { throw std::runtime_error("a hash map has no order"); }
static uint64_t range(Ordered &map, uint64_t first) {
    uint64_t sum = 0;
    auto entry = map.lower_bound(first);
    for (int taken = 0; taken < SCAN && entry != map.end(); ++taken, ++entry) sum += entry->second;
    return sum;
}

static uint64_t stress(Segment &segment, size_t count, size_t size) {
    std::vector<unsigned char *> blocks(count);
    uint64_t verified = 0;
    for (size_t index = 0; index < count; ++index) {
        blocks[index] = static_cast<unsigned char *>(segment.allocate(size));
        memset(blocks[index], int(index & 255), size);
    }
    for (size_t index = 0; index < count; ++index) {
        unsigned char *block = blocks[index];
        bool same = true;
        for (size_t at = 0; at < size; ++at) same &= block[at] == (index & 255);
        verified += same;
        segment.deallocate(block);
    }
    return verified;
}

static uint64_t mixed(Segment &segment, size_t rounds, const std::vector<size_t> &sizes, const std::vector<size_t> &order) {
    std::vector<uint64_t *> blocks(LIVE);
    uint64_t verified = 0;
    for (size_t round = 0; round < rounds; ++round) {
        for (size_t index = 0; index < LIVE; ++index) {
            blocks[index] = static_cast<uint64_t *>(segment.allocate(sizes[index]));
            blocks[index][0] = blocks[index][sizes[index] / 8 - 1] = round + index;
        }
        for (size_t index : order) {
            verified += blocks[index][0] == round + index && blocks[index][sizes[index] / 8 - 1] == round + index;
            segment.deallocate(blocks[index]);
        }
    }
    return verified;
}

template <class Map> static void serve(Segment &segment, Map &map, Mutex &mutex, Yard &yard) {
    std::vector<Keys> batches;
    std::string line;
    while (std::getline(std::cin, line)) {
        std::istringstream words(line);
        std::string verb, path;
        uint64_t a = 0, b = 0, c = 0, d = 0;
        words >> verb >> a;
        if (verb == "keys") {
            words >> path;
            Keys keys(a);
            FILE *file = fopen(path.c_str(), "rb");
            if (!file || fread(keys.data(), 8, a, file) != a) throw std::runtime_error("no keys");
            fclose(file);
            batches.push_back(std::move(keys));
            std::cout << a << std::endl;
            continue;
        }
        words >> b >> c >> d;
        static const Keys none;
        const Keys &keys = a < batches.size() ? batches[a] : none;
        if (verb == "clear") {
            map.clear();
            std::cout << 0 << std::endl;
        } else if (verb == "insert") {
            timed([&] {
                uint64_t sum = 0;
                for (uint64_t key : keys) {
                    Lock lock(mutex);
                    sum += map.insert(Pair(key, key)).second;
                }
                return sum;
            });
        } else if (verb == "get") {
            timed([&] {
                uint64_t sum = 0;
                for (uint64_t key : keys) {
                    Lock lock(mutex);
                    auto entry = map.find(key);
                    sum += entry == map.end() ? 1 : entry->second;
                }
                return sum;
            });
        } else if (verb == "update") {
            timed([&] {
                uint64_t sum = 0;
                for (uint64_t key : keys) {
                    Lock lock(mutex);
                    sum += ++map.find(key)->second;
                }
                return sum;
            });
        } else if (verb == "remove") {
            timed([&] {
                uint64_t sum = 0;
                for (uint64_t key : keys) {
                    Lock lock(mutex);
                    auto entry = map.find(key);
                    sum += entry->second;
                    map.erase(entry);
                }
                return sum;
            });
        } else if (verb == "scan") {
            timed([&] {
                uint64_t sum = 0;
                for (uint64_t key : keys) {
                    Lock lock(mutex);
                    sum += range(map, key);
                }
                return sum;
            });
        } else if (verb == "iterate") {
            timed([&] {
                uint64_t sum = 0;
                Lock lock(mutex);
                for (auto &entry : map) sum += entry.second;
                return sum;
            });
        } else if (verb == "pairs") {
            timed([&] {
                for (uint64_t pair = 0; pair < a; ++pair) {
                    void *volatile block = segment.allocate(b);
                    segment.deallocate(block);
                }
                return a;
            });
        } else if (verb == "nodes") {
            struct Node { char bytes[64]; };
            ipc::cached_node_allocator<Node, Manager> pool(segment.get_segment_manager());
            timed([&] {
                for (uint64_t pair = 0; pair < a; ++pair) {
                    auto node = pool.allocate_one();
                    void *volatile block = node.get();
                    pool.deallocate_one(static_cast<Node *>(block));
                }
                return a;
            });
        } else if (verb == "fill") {
            for (size_t index = 0; index < yard.count; ++index) map.insert(Pair(yard.keys[index], yard.keys[index]));
            std::cout << 0 << std::endl;
        } else if (verb == "map") {
            together(yard, d, [&] {
                uint64_t verified = 0;
                for (uint64_t index = 0, at = c; index < b; ++index) {
                    uint64_t key = yard.keys[at];
                    at = at + 1 == yard.count ? 0 : at + 1;
                    Lock lock(mutex);
                    auto entry = map.find(key);
                    if (a != 0 && index % a == 0) {
                        entry->second = key;
                        ++verified;
                    } else {
                        verified += entry->second == key;
                    }
                }
                return verified;
            });
        } else if (verb == "stress") {
            together(yard, c, [&] { return stress(segment, a, b); });
        } else if (verb == "mixed") {
            Random random(c);
            std::vector<size_t> sizes(LIVE), order(LIVE);
            for (size_t &size : sizes) size = 16 + random.next() % 1009;
            for (size_t index = 0; index < LIVE; ++index) order[index] = index;
            for (size_t last = LIVE - 1; b != 0 && last > 0; --last) std::swap(order[last], order[random.next() % (last + 1)]);
            together(yard, d, [&] { return mixed(segment, a, sizes, order); });
        } else {
            throw std::runtime_error("no such verb: " + verb);
        }
    }
}

// Texts are compared with those of this process as they are: a look-up makes none in the segment.
static size_t hash_of(const char *begin, size_t length) { return boost::hash_range(begin, begin + length); }
struct Hash {
    size_t operator()(const Text &text) const { return hash_of(text.data(), text.size()); }
    size_t operator()(const std::string &text) const { return hash_of(text.data(), text.size()); }
};
struct Equal {
    bool operator()(const Text &one, const Text &other) const { return one == other; }
    bool operator()(const std::string &one, const Text &other) const {
        return one.size() == other.size() && memcmp(one.data(), other.data(), one.size()) == 0;
    }
    bool operator()(const Text &one, const std::string &other) const { return (*this)(other, one); }
};
using Written = std::pair<const Text, Text>;
using Texts = boost::unordered_map<Text, Text, Hash, Equal, ipc::allocator<Written, Manager>>;

static void serve_texts(Segment &segment, Texts &map, Mutex &mutex) {
    std::vector<std::vector<std::pair<std::string, std::string>>> batches;
    Letters letters(segment.get_segment_manager());
    std::string line;
    while (std::getline(std::cin, line)) {
        std::istringstream words(line);
        std::string verb, path;
        uint64_t a = 0;
        words >> verb >> a;
        if (verb == "keys") {
            words >> path;
            Keys keys(a);
            FILE *file = fopen(path.c_str(), "rb");
            if (!file || fread(keys.data(), 8, a, file) != a) throw std::runtime_error("no keys");
            fclose(file);
            batches.emplace_back();
            for (uint64_t key : keys) {
                char name[33], value[101];
                snprintf(name, sizeof name, "%032llx", (unsigned long long)key);
                snprintf(value, sizeof value, "%0100llx", (unsigned long long)key);
                batches.back().emplace_back(name, value);
            }
            std::cout << a << std::endl;
        } else if (verb == "clear") {
            map.clear();
            std::cout << 0 << std::endl;
        } else if (verb == "insert") {
            timed([&] {
                uint64_t sum = 0;
                for (auto &text : batches.at(a)) {
                    Lock lock(mutex);
                    Text key(text.first.data(), text.first.size(), letters), value(text.second.data(), text.second.size(), letters);
                    sum += map.emplace(std::move(key), std::move(value)).second;
                }
                return sum;
            });
        } else if (verb == "get") {
            timed([&] {
                uint64_t sum = 0;
                for (auto &text : batches.at(a)) {
                    Lock lock(mutex);
                    auto entry = map.find(text.first, Hash(), Equal());
                    if (entry == map.end()) throw std::runtime_error("a key is missing");
                    sum += (unsigned char)entry->second.back();
                }
                return sum;
            });
        } else {
            throw std::runtime_error("no such verb: " + verb);
        }
    }
}

// Names without slashes, which go when one of the processes does.
struct Queues {
    std::string names[2];
    ipc::message_queue there, back;

    static std::string name(std::string path, const char *suffix) {
        std::replace(path.begin(), path.end(), '/', '-');
        return path.substr(1) + suffix;
    }
    explicit Queues(const std::string &path)
        : names{name(path, "-there"), name(path, "-back")},
          there(ipc::open_or_create, names[0].c_str(), 1024, sizeof(uint64_t)),
          back(ipc::open_or_create, names[1].c_str(), 1024, sizeof(uint64_t)) {}
    ~Queues() {
        // Those who have them open keep them.
        for (auto &name : names) ipc::message_queue::remove(name.c_str());
    }
};

static void send(ipc::message_queue &queue, uint64_t value) { queue.send(&value, sizeof value, 0); }

static uint64_t receive(ipc::message_queue &queue) {
    uint64_t value;
    ipc::message_queue::size_type size;
    unsigned priority;
    queue.receive(&value, sizeof value, size, priority);
    return value;
}

static void queue(const std::string &path) {
    Queues queues(path);
    std::string line;
    while (std::getline(std::cin, line)) {
        std::istringstream words(line);
        std::string verb;
        uint64_t count = 0, right = 0;
        words >> verb >> count;
        if (verb == "ready") {
            std::cout << 0 << std::endl;
        } else if (verb == "give") {
            for (uint64_t value = 0; value < count; ++value) send(queues.there, value);
        } else if (verb == "echo") {
            for (uint64_t trip = 0; trip < count; ++trip) send(queues.back, receive(queues.there));
        } else if (verb == "flow") {
            uint64_t start = now(CLOCK_MONOTONIC);
            for (uint64_t value = 0; value < count; ++value) right += receive(queues.there) == value;
            std::cout << now(CLOCK_MONOTONIC) - start << ' ' << right << std::endl;
        } else {
            std::vector<uint64_t> times(count);
            for (uint64_t trip = 0; trip < count; ++trip) {
                uint64_t start = now(CLOCK_MONOTONIC);
                send(queues.there, trip);
                right += receive(queues.back) == trip;
                times[trip] = now(CLOCK_MONOTONIC) - start;
            }
            std::sort(times.begin(), times.end());
            std::cout << times[count / 2] << ' ' << times[(count - 1) * 99 / 100] << ' ' << right << std::endl;
        }
    }
}

// A number, as often as it fits. As in line.rs.
template <size_t Words> struct Message {
    uint64_t words[Words];
    static Message of(uint64_t number) {
        Message message;
        for (uint64_t &word : message.words) word = number;
        return message;
    }
    uint64_t number() const {
        uint64_t differing = 0;
        for (uint64_t word : words) differing |= word ^ words[0];
        return differing == 0 ? words[0] : UINT64_MAX;
    }
};

template <class Attempt> static void until(Attempt attempt) {
    for (uint32_t number = 1; !attempt(); ++number) {
#if defined(__x86_64__)
        __builtin_ia32_pause();
#endif
        if (number % 4096 == 0) sched_yield();
    }
}

template <size_t Words> static void spsc(Segment &segment) {
    using Queue = boost::lockfree::spsc_queue<Message<Words>, boost::lockfree::capacity<1024>>;
    Queue &there = *segment.find_or_construct<Queue>("there")();
    Queue &back = *segment.find_or_construct<Queue>("back")();
    auto send = [](Queue &queue, uint64_t value) {
        auto message = Message<Words>::of(value);
        until([&] { return queue.push(message); });
    };
    auto receive = [](Queue &queue) {
        Message<Words> message;
        until([&] { return queue.pop(message); });
        return message.number();
    };
    std::string line;
    while (std::getline(std::cin, line)) {
        std::istringstream words(line);
        std::string verb;
        uint64_t count = 0, right = 0;
        words >> verb >> count;
        uint64_t start = now(CLOCK_MONOTONIC);
        if (verb == "stay") {
            cpu_set_t processors;
            CPU_ZERO(&processors);
            CPU_SET(count, &processors);
            if (sched_setaffinity(0, sizeof processors, &processors) != 0) throw std::runtime_error("no such processor");
            std::cout << count << std::endl;
        } else if (verb == "give") {
            for (uint64_t value = 0; value < count; ++value) send(there, value);
        } else if (verb == "echo") {
            for (uint64_t trip = 0; trip < count; ++trip) send(back, receive(there));
        } else if (verb == "flow") {
            for (uint64_t value = 0; value < count; ++value) right += receive(there) == value;
            std::cout << now(CLOCK_MONOTONIC) - start << ' ' << right << std::endl;
        } else if (verb == "bounce") {
            for (uint64_t trip = 0; trip < count; ++trip) {
                send(there, trip);
                right += receive(back) == trip;
            }
            std::cout << now(CLOCK_MONOTONIC) - start << ' ' << right << std::endl;
        } else {
            throw std::runtime_error("no such verb: " + verb);
        }
    }
}

int main(int count, char **words) {
    if (count < 3) return 2;
    try {
        if (words[2] == std::string("queue")) {
            queue(words[1]);
            return 0;
        }
        Segment segment(ipc::open_or_create, words[1], CAPACITY);
        Mutex &mutex = *segment.find_or_construct<Mutex>("mutex")();
        Yard yard;
        if (count > 3) yard.open(words[3]);
        if (words[2] == std::string("spsc-8")) {
            spsc<1>(segment);
        } else if (words[2] == std::string("spsc-64")) {
            spsc<8>(segment);
        } else if (words[2] == std::string("texts")) {
            ipc::allocator<Written, Manager> entries(segment.get_segment_manager());
            serve_texts(segment, *segment.find_or_construct<Texts>("texts")(size_t(16), Hash(), Equal(), entries), mutex);
        } else if (words[2] == std::string("ordered")) {
            Nodes nodes(segment.get_segment_manager());
            serve(segment, *segment.find_or_construct<Ordered>("map")(std::less<uint64_t>(), nodes), mutex, yard);
        } else {
            Entries entries(segment.get_segment_manager());
            auto map = segment.find_or_construct<Unordered>("map");
            serve(segment, *map(size_t(16), boost::hash<uint64_t>(), std::equal_to<uint64_t>(), entries), mutex, yard);
        }
        return 0;
    } catch (const std::exception &error) {
        std::cerr << "boost: " << error.what() << std::endl;
        return 1;
    }
}
