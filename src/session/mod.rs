//! Ask, plan, judge, perform, repeat; history and record.
