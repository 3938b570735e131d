//! Tests of the whole journal: on a simulated disk, where nothing happens that the test does not ask for, and on a real
//! one.

mod append;
mod bounded;
mod copies;
mod damage;
mod failure;
mod folder;
mod histories;
mod marks;
mod read;
mod space;
mod threads;
mod world;
