/**
 * The properties file, and the data sources that it names.
 */
@NullMarked
package io.usagearchiver.cli.config;

import org.jspecify.annotations.NullMarked;
