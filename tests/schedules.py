"""When files are written and what they are called: the least, everything, and datasets."""

from typing import Any

Document = dict[str, Any]

#: Everything that can be said of when files are written.
EVERY_BATCH: Document = {
    "allowMandatoryFieldSelection": True,
    "allowDedupeKeyFieldSelection": True,
    "defaultExportMode": "DAILY_FULL_EXPORT",
    "allowedExportModes": ["DAILY_FULL_EXPORT", "FIRST_FULL_THEN_INCREMENTAL"],
    "allowedScheduleFrequency": ["ONCE", "DAILY", "WEEKLY", "MONTHLY", "EVERY_3_HOURS", "EVERY_12_HOURS"],
    "defaultFrequency": "DAILY",
    "defaultStartTime": "04:30",
    "filenameConfig": {
        "allowedFilenameAppendOptions": ["SEGMENT_NAME", "DATETIME", "CUSTOM_TEXT"],
        "defaultFilenameAppendOptions": ["DATETIME"],
        "defaultFilename": "%DESTINATION%_%SEGMENT_ID%",
    },
    "segmentGroupingEnabled": False,
    "autoSelectJoinKeyOnPartnerSchemaSelection": False,
    "joinKeyTitle": "DEDUPLICATION KEY",
    "backfillHistoricalProfileData": True,
}
A_BATCH: Document = {
    "filenameConfig": {"allowedFilenameAppendOptions": ["SEGMENT_ID", "DATETIME"], "defaultFilenameAppendOptions": []}
}
DATASET_BATCH: Document = {
    "allowedExportModes": ["FIRST_FULL_THEN_INCREMENTAL", "DAILY_FULL_EXPORT"],
    "allowedScheduleFrequency": [],
    "defaultExportMode": "FIRST_FULL_THEN_INCREMENTAL",
    "defaultFrequency": "EVERY_6_HOURS",
    "filenameConfig": {
        "allowedFilenameAppendOptions": [],
        "defaultFilenameAppendOptions": [],
        "defaultFilename": "",
    },
    "datasetBatchConfig": {
        "allowedFoldernameAppendOptions": ["DESTINATION", "DATASET_ID", "DATASET_NAME", "EXPORT_TIME", "CUSTOM_TEXT"],
        "defaultFoldernameAppendOptions": ["DATASET_ID", "EXPORT_TIME"],
        "allowedExportModes": ["DAILY_FULL_EXPORT", "FIRST_FULL_THEN_INCREMENTAL"],
        "allowedScheduleFrequency": ["DAILY", "EVERY_3_HOURS", "EVERY_6_HOURS", "ONCE"],
    },
}
