/**
 * The properties file, and the data sources that it names: {@link io.usagearchiver.cli.config.ConfigFile}.
 */
@NullMarked
package io.usagearchiver.cli.config;

import org.jspecify.annotations.NullMarked;
