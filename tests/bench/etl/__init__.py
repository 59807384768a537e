"""``make bench-etl``: imports against plain COPY, in one sitting on one machine."""
