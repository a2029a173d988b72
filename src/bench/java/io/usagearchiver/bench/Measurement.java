package io.usagearchiver.bench;

/**
 * One figure.
 *
 * @param scenario what was tried
 * @param setting the case of it: a column of its table
 * @param contestant whom it is of: a row of its table
 * @param metric what it says, with its unit
 * @param round which repetition, from 1 on
 */
record Measurement(String scenario, String setting, String contestant, String metric, int round, double value) {}
